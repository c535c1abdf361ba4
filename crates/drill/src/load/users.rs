//! The users of a flow: each keeps its cookies, as a browser does.

use std::collections::BTreeMap;

use hyper::header::HeaderValue;

/// What each user was given, by the name of the cookie.
#[derive(Debug, Default)]
pub(super) struct Users {
    cookies: BTreeMap<u32, BTreeMap<String, String>>,
}

// === impl Users ===

impl Users {
    /// What `user` sends along; none if it was given nothing.
    pub(super) fn cookie(&self, user: u32) -> Option<HeaderValue> {
        let cookies = self.cookies.get(&user)?;
        let pairs: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        HeaderValue::from_str(&pairs.join("; ")).ok()
    }

    /// `user` is given a cookie. Attributes are not looked at: a drill is short, and all its flows
    /// go to one site.
    pub(super) fn give(&mut self, user: u32, set_cookie: &str) {
        let pair = set_cookie.split(';').next().and_then(|pair| pair.split_once('='));
        if let Some((name, value)) = pair {
            let cookies = self.cookies.entry(user).or_default();
            cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_sends_what_it_was_given_last() {
        let mut users = Users::default();
        users.give(1, "task=task-1; Path=/; HttpOnly");
        users.give(1, "a=b");
        users.give(1, "task=task-2");
        users.give(2, "nonsense");
        let cookie = |user| users.cookie(user).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(cookie(1).as_deref(), Some("a=b; task=task-2"));
        assert_eq!(cookie(2), None);
        assert_eq!(cookie(3), None);
    }
}
