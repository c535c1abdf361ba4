//! The dashboard: one page that needs nothing from anywhere else.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;
use rustix::rand::{GetRandomFlags, getrandom};

const PAGE: &str = include_str!("dashboard.html");
/// What stands in the page for the number that only its own script and style have.
const NONCE: &str = "{{nonce}}";

/// The page. It holds nothing of the fleet: its script asks for that, with the token.
pub(super) async fn page() -> impl IntoResponse {
    let mut bytes = [0; 16];
    // Without a good number the page would only be as open as most pages are.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    let nonce = format!("{:032x}", u128::from_ne_bytes(bytes));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let fields = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (fields, PAGE.replace(NONCE, &nonce))
}
