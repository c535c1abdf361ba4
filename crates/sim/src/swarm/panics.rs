//! What panics in a scenario is told as what did not hold, with its place, and printed by nobody: whoever makes
//! such a scenario small sees it panic hundreds of times.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Somebody on this thread waits for what panics,
    static CATCHES: Cell<bool> = const { Cell::new(false) };
    /// and this is the last that did.
    static CAUGHT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What comes of it; if it panics, its place in the program on the first line, and then what it says.
pub(super) fn caught<T>(happens: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    let before = CATCHES.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(happens));
    CATCHES.set(before);
    done.map_err(|_| CAUGHT.take())
}

/// Nobody but a hook is told the place. Panics of all other threads go where they went before.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if CATCHES.get() {
                CAUGHT.set(panic.to_string());
            } else {
                others(panic);
            }
        }));
    });
}
