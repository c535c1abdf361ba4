//! The token that opens the API over TCP.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::Error;

/// A shorter one could be guessed.
const SHORTEST: usize = 16;
const MADE_OF: usize = 32;

/// A secret. It is never shown by accident.
#[derive(Clone)]
pub struct Token(String);

// === impl Token ===

impl Token {
    /// The one in the file at `path`; a new one is made and written there if there is no file.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let error = |what| move |source| Error::File { path: path.to_owned(), what, source };
        match fs::read_to_string(path) {
            Ok(text) => Self::check(path, text.trim()).map_err(error("cannot be the API's token")),
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
                Self::make(path).map_err(error("the API's token cannot be written there"))
            }
            Err(problem) => Err(error("the API's token cannot be read")(problem)),
        }
    }

    /// For the one place that shows it, to whoever brought the fleet up.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is it. How long that takes says nothing about how much of it is right.
    pub(super) fn is(&self, given: &str) -> bool {
        let (token, given) = (self.0.as_bytes(), given.as_bytes());
        let differ = token.iter().zip(given).fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
        token.len() == given.len() && differ == 0
    }

    fn check(path: &Path, text: &str) -> io::Result<Self> {
        let refuse = |problem: String| Err(io::Error::other(problem));
        if fs::metadata(path)?.mode() & 0o077 != 0 {
            return refuse("others than its owner may read it; allowed is mode 0600".to_owned());
        }
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse(format!(
                "allowed are at least {SHORTEST} letters, digits and signs, without spaces"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; MADE_OF];
        let mut filled = 0;
        while filled < MADE_OF {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        let hex = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
        let text: String = bytes.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).collect();
        // Under its name it is only ever whole.
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        File::sync_all(&file)?;
        fs::rename(new, path)?;
        Ok(Self(text))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let made = Token::of(&path).unwrap();
        assert_eq!(made.reveal().len(), 64);
        assert_eq!(Token::of(&path).unwrap().reveal(), made.reveal());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(format!("{made:?}"), "Token");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Token::of(&path).is_err());
    }

    #[test]
    fn only_the_token_itself_is_it() {
        let token = Token("0123456789abcdef".to_owned());
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_short_token_and_one_with_spaces_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        for wrong in ["short", "sixteen letters and spaces"] {
            let _ = fs::remove_file(&path);
            let mut file = OpenOptions::new();
            let mut file = file.write(true).create(true).mode(0o600).open(&path).unwrap();
            file.write_all(wrong.as_bytes()).unwrap();
            assert!(Token::of(&path).is_err(), "{wrong}");
        }
    }
}
