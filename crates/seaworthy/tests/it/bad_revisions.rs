//! Revisions that are no good: `drills/bad-revisions.toml` in short.

use crate::world::{World, code_and_words};

const FILE: &str = r#"
title = "revisions that are no good"
prepare = [["seaworthy", "store", "generate", "--database", "{run}/store.db", "--products", "50"]]
claims = [CLAIMS]

[fleet.service.store]
command = ["seaworthy", "store", "serve", "--database", "{run}/store.db"]
desired_count = 3
start_timeout = "4s"
deployment.settle = "2s"
health = { path = "/health", interval = "200ms" }

[load]
rate = 100
paths = ["/products/1"]

[objective]
latency = "1s"
success = "99%"

[hypothesis]
window = "500ms"
tolerated_gap = "400ms"

[[schedule]]
name = "never"
duration = "8s"
faults = [{ at = "500ms", deploy = { command = ["sleep", "600"] } }]

[[schedule]]
name = "dies"
duration = "6s"
faults = [{ at = "500ms", deploy = { command = [STORE, "--faults", "--dies-after", "1s"] } }]

[[schedule]]
name = "errors"
duration = "6s"
faults = [{ at = "500ms", deploy = { command = [STORE, "--faults", "--broken"] } }]
"#;

const STORE: &str = r#""seaworthy", "store", "serve", "--database", "{run}/store.db""#;

#[test]
fn each_is_rolled_back_by_itself_and_no_user_is_failed() {
    let world = World::new();
    let claims = ["never", "dies", "errors"].map(|schedule| {
        let of = |figure: &str| format!("{{1.{schedule}.{figure}}}");
        let [back, kept, failed] = [of("back"), of("kept"), of("failed")];
        let unanswered = of("unanswered");
        // The first requests may meet two tasks that answer 500, and have no better answer.
        let most = if schedule == "errors" { 3 } else { 0 };
        format!(r#""{back} <= 60s", "{kept} >= 3", "{unanswered} <= 0", "{failed} <= {most}""#)
    });
    world.write("drill.toml", &FILE.replace("STORE", STORE).replace("CLAIMS", &claims.join(", ")));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(0), "{words}");
    world.assert_nothing_is_left();
}
