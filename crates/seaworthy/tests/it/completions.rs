//! `seaworthy completions`.

use crate::world::{World, code_and_words};

#[test]
fn every_shell_learns_the_commands() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script) = code_and_words(&world.run(&["completions", shell]));
        assert_eq!(code, Some(0), "{script}");
        for word in ["init", "check", "completions", "repeat"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        // The parts are no business of people.
        assert!(!script.contains("keeper"), "{shell}");
    }
    let (code, words) = code_and_words(&world.run(&["completions", "cmd"]));
    assert!(code == Some(2) && words.contains("possible values: bash"), "{words}");
}
