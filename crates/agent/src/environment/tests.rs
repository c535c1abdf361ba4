use std::fs;

use seaworthy_core::fleet::{Fleet, RawFleet};
use serde_json::json;

use super::*;

const ABOUT: About = About { task: TaskId(4), revision: 2, port: 8080, location: None };

/// A service with these variables, files and secrets.
fn service(variables: &[(&str, &str)], files: &[&str], secrets: &[(&str, &str)]) -> Service {
    let raw = json!({ "service": { "store": { "command": ["none"] } } });
    let raw: RawFleet = serde_json::from_value(raw).unwrap();
    let service = Fleet::try_from(raw).unwrap().services.remove(0);
    Service {
        environment: variables.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        environment_files: files.iter().map(PathBuf::from).collect(),
        secrets: secrets.iter().map(|(name, path)| (name.to_string(), path.into())).collect(),
        ..service
    }
}

/// What is wrong with the environment of a service, with files in a directory of their own.
fn error(service: &Service, files: &[(&str, &[u8])]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    let made = Environment::of(service, &BTreeMap::new(), ABOUT, directory.path());
    let text = format!("{}", made.unwrap_err());
    text.replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn later_ones_win_and_relative_paths_are_meant_from_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    let file = |name: &str, content: &str| fs::write(directory.path().join(name), content).unwrap();
    file("one.env", "# first\nA=1\nB=1\n\nC=1\nURL=x=y\n");
    file("two.env", "B=2\nC=2\nD=2");
    file("password", "hidden\n\n");
    fs::write(elsewhere.path(), "absolute").unwrap();
    let absolute = elsewhere.path().to_str().unwrap();
    let secrets = [("D", "password"), ("E", absolute)];
    let service = service(&[("C", "3"), ("PORT", "1")], &["one.env", "two.env"], &secrets);
    let urls = ["A", "SEAWORTHY_URL_STORE"].map(|name| (name.to_owned(), "http://x".to_owned()));

    let made = Environment::of(&service, &urls.into(), ABOUT, directory.path()).unwrap();
    let expected = [
        ("A", "1"),
        ("B", "2"),
        ("C", "3"),
        // One newline belongs to the file, not to the secret.
        ("D", "hidden\n"),
        ("E", "absolute"),
        ("PORT", "8080"),
        ("SEAWORTHY_REVISION", "2"),
        ("SEAWORTHY_SERVICE", "store"),
        ("SEAWORTHY_TASK", "task-4"),
        ("SEAWORTHY_URL_STORE", "http://x"),
        ("URL", "x=y"),
    ];
    let found = made.variables().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert!(!format!("{made:?}").contains("hidden"), "{made:?}");
}

#[test]
fn a_task_that_is_somewhere_is_told_where() {
    let about = About { location: "a/1".parse().ok(), ..ABOUT };
    let made = Environment::of(&service(&[], &[], &[]), &BTreeMap::new(), about, Path::new("."));
    let made = made.unwrap();
    let told = ["SEAWORTHY_ZONE", "SEAWORTHY_MACHINE"].map(|name| made.variables()[name].as_str());
    assert_eq!(told, ["a", "a/1"]);
}

#[test]
fn errors_name_file_and_line_and_never_a_value() {
    let files = |lines: &'static [u8]| error(&service(&[], &["a.env"], &[]), &[("a.env", lines)]);
    assert_eq!(
        files(b"A=1\nhidden\n"),
        "a.env: line 2: has no =; allowed is NAME=value, a comment after #, or nothing"
    );
    let zero = files(b"A=hid\0den");
    assert!(zero.starts_with("a.env: line 1") && !zero.contains("hid"), "{zero}");
    assert_eq!(files(b"A=\xff"), "a.env: cannot be read: it is not UTF-8");

    let secret = |content: &[u8]| error(&service(&[], &[], &[("KEY", "k")]), &[("k", content)]);
    let long = vec![b'x'; LONGEST + 1];
    assert_eq!(secret(b"hid\0den"), "k: secret KEY: has a NUL, which no variable can have");
    assert_eq!(secret(&long), "k: cannot be read: it is longer than 32768 bytes");
    assert_eq!(secret(&long[1..]), "the environment has 32850 bytes; 32768 are allowed");
}

#[test]
fn what_is_no_file_is_refused() {
    let of = |path: &str| error(&service(&[], &[], &[("KEY", path)]), &[]);
    assert!(
        of("missing").starts_with("missing: cannot be read: No such file"),
        "{}",
        of("missing")
    );
    assert_eq!(of("/dev/zero"), "/dev/zero: cannot be read: it is no regular file");
}
