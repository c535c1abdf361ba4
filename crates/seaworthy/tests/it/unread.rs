//! Commands whose output nobody reads any more, as before `head`.

use std::io::pipe;

use crate::world::{World, code_and_words};

#[test]
fn a_command_that_nobody_reads_ends_quietly() {
    let world = World::new();
    world.write("fleet.toml", "service.s.command = ['true']\n");
    let all = [
        &["check", "fleet.toml"][..],
        &["completions", "bash"],
        &["schema"],
        &["init", "--file", "new.toml", "--", "true"],
    ];
    for arguments in all {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = world.seaworthy(arguments).stdout(writer).output().unwrap();
        assert_eq!(code_and_words(&output), (Some(0), String::new()), "{arguments:?}");
    }
}
