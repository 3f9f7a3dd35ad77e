//! Secrets: where they are found, and a type that shows them to nobody. None of them stands in the configuration.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The name of the API key among systemd's credentials.
pub const API_KEY: &str = "elevenlabs-api-key";

/// Shortest token of the API that is taken, in bytes. At 10,000 guesses a second, 16 hexadecimal digits last 29 million years.
const SHORTEST_TOKEN: usize = 16;

/// A secret text. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret without the white space around it (the line end of a file).
    ///
    /// # Errors
    /// When nothing is left, or a control character is in it: it goes into a header or a login as it is.
    pub fn new(text: &str) -> Result<Self, BadSecret> {
        let text = text.trim();
        if text.is_empty() {
            Err(BadSecret::Empty)
        } else if text.chars().any(char::is_control) {
            Err(BadSecret::Unprintable)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why there is no usable secret. Never repeats what was read.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// Not fit to be sent.
    #[error("contains a line break or another control character")]
    Unprintable,
    /// A token of the API that could be guessed.
    #[error("is shorter than {SHORTEST_TOKEN} characters: make one with `openssl rand -hex 16`")]
    Short,
    /// The file that should hold it.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// What is wrong with the content of a file.
    #[error("{}: {why}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Box<BadSecret>,
    },
}

/// A secret and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The secret.
    pub secret: Secret,
    /// Where: a path, or the name of an environment variable.
    pub place: String,
    /// What is wrong with the place, when others on this machine can read it.
    pub warning: Option<String>,
}

/// What the process was started with, as far as it tells where secrets are.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `$CREDENTIALS_DIRECTORY`: where systemd puts what `LoadCredential=` names.
    pub credentials: Option<PathBuf>,
    /// `$ELEVENLABS_API_KEY`.
    pub api_key: Option<Secret>,
    /// Where systemd takes credentials from for the service, `/etc/credstore`: looked at by the commands, which are started without.
    pub credstore: Option<PathBuf>,
}

impl Surroundings {
    /// Reads the environment.
    #[must_use]
    pub fn from_env() -> Self {
        let text = |name| std::env::var(name).ok();
        Self {
            credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            api_key: text("ELEVENLABS_API_KEY").and_then(|text| Secret::new(&text).ok()),
            credstore: Some("/etc/credstore".into()),
        }
    }
}

/// The vendor's API key: the first of systemd's credential `elevenlabs-api-key`, `elevenlabs.api_key_file`, and
/// `ELEVENLABS_API_KEY`. `None` when there is none of them.
///
/// # Errors
/// When the first one that is there cannot be used; the others are not tried then.
pub fn api_key(file: Option<&Path>, around: &Surroundings) -> Result<Option<Found>, BadSecret> {
    let credential = around.credentials.as_deref().map(|directory| directory.join(API_KEY));
    if let Some(path) = credential.filter(|path| path.exists()) {
        return from_file(&path).map(Some);
    }
    if let Some(path) = file {
        return from_file(path).map(Some);
    }
    let from_env = |secret: &Secret| Found { secret: secret.clone(), place: "ELEVENLABS_API_KEY".to_owned(), warning: None };
    Ok(around.api_key.as_ref().map(from_env))
}

/// The same for a command that somebody types: where there is none of them, what systemd would hand to the service, if whoever
/// types may read it.
///
/// # Errors
/// As [`api_key`].
pub fn api_key_by_hand(file: Option<&Path>, around: &Surroundings) -> Result<Option<Found>, BadSecret> {
    let stored = || around.credstore.as_deref().map(|store| store.join(API_KEY)).filter(|path| path.exists());
    match (api_key(file, around)?, stored()) {
        (None, Some(path)) => from_file(&path).map(Some),
        (found, _) => Ok(found),
    }
}

/// A file with nothing but a secret: the broker's password, the API key.
///
/// # Errors
/// When it cannot be read or does not hold one.
pub fn from_file(path: &Path) -> Result<Found, BadSecret> {
    let within = |why| BadSecret::In { path: path.to_owned(), why: Box::new(why) };
    let text = std::fs::read_to_string(path).map_err(|error| within(error.into()))?;
    let secret = Secret::new(&text).map_err(within)?;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    let warning = (mode & 0o077 != 0)
        .then(|| format!("{} can be read by others (mode {mode:04o}); chmod it to 0600 or 0400", path.display()));
    Ok(Found { secret, place: path.display().to_string(), warning })
}

/// The token of the API's TCP port.
///
/// # Errors
/// When it cannot be read, or is so short that it could be guessed.
pub fn api_token(path: &Path) -> Result<Found, BadSecret> {
    let found = from_file(path)?;
    if found.secret.0.len() < SHORTEST_TOKEN {
        return Err(BadSecret::In { path: path.to_owned(), why: Box::new(BadSecret::Short) });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let secret = Secret::new(" sk_secret\n").unwrap();
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "sk_secret");
        let found = Found { secret, place: "x".to_owned(), warning: None };
        assert!(!format!("{found:?}").contains("sk_secret"));
        for text in ["\n", "sk_a\r\nx-other: 1"] {
            assert!(!format!("{:?}", Secret::new(text).unwrap_err()).contains("sk_"), "{text:?}");
        }
    }

    #[test]
    fn the_credential_goes_before_the_file_and_the_file_before_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        write(&file, "sk_file\n", 0o600);
        let around = Surroundings {
            credentials: Some(directory.path().to_owned()),
            api_key: Some(Secret::new("sk_env").unwrap()),
            credstore: None,
        };
        let find = |file, around: &Surroundings| api_key(file, around).unwrap().map(|found| found.secret.expose().to_owned());
        assert_eq!(find(None, &Surroundings::default()), None);
        assert_eq!(find(None, &around).as_deref(), Some("sk_env"));
        assert_eq!(find(Some(&file), &around).as_deref(), Some("sk_file"));
        write(&directory.path().join("elevenlabs-api-key"), "sk_credential", 0o400);
        assert_eq!(find(Some(&file), &around).as_deref(), Some("sk_credential"));
    }

    #[test]
    fn a_key_file_that_is_missing_or_open_to_others_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let missing = api_key(Some(&file), &Surroundings::default()).unwrap_err().to_string();
        assert!(missing.starts_with(&format!("{}: cannot be read: No such file", file.display())), "{missing}");
        write(&file, "sk_file", 0o640);
        let warning = from_file(&file).unwrap().warning.unwrap();
        assert!(warning.ends_with("can be read by others (mode 0640); chmod it to 0600 or 0400"), "{warning}");
        write(&file, "sk_file", 0o400);
        assert_eq!(from_file(&file).unwrap().warning, None);
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused_without_being_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        write(&file, "0123456789abcde\n", 0o600);
        let why = api_token(&file).unwrap_err().to_string();
        assert!(why.contains("shorter than 16 characters") && !why.contains("789"), "{why}");
        write(&file, "0123456789abcdef\n", 0o600);
        assert_eq!(api_token(&file).unwrap().secret.expose(), "0123456789abcdef");
    }
}
