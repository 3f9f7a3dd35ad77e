//! Whether the service gets at what `check` was shown: it is mostly root who checks, and `gladhand` who runs.

use std::path::Path;

use super::check::{Finding, Verdict};
use crate::config::Config;
use crate::host::user::User;

/// As `systemd/gladhand.service` has it.
const NAME: &str = "gladhand";

/// One for each file that the user `gladhand` is kept from. None where there is no such user, or it is he who asks.
pub(super) fn findings(file: &Path, config: &Config) -> Vec<Finding> {
    User::other(NAME).map(|user| kept_from(file, config, user)).unwrap_or_default()
}

fn kept_from(file: &Path, config: &Config, user: User) -> Vec<Finding> {
    let roster = Config::roster_path(file);
    let shared = [("configuration", Some(file)), ("roster", Some(roster.as_path()))];
    let secret = [
        ("API key", config.elevenlabs.api_key_file.as_deref()),
        ("broker password", config.mqtt.password_file.as_deref()),
        ("API token", config.api.listen.and(config.api.token_file.as_deref())),
        ("store", Some(config.gateway.state_dir.as_path())),
    ];
    let shared = shared.into_iter().map(|(what, path)| (what, path, "chgrp", "0640"));
    let secret = secret.into_iter().map(|(what, path)| (what, path, "chown", "0600"));
    let kept = shared.chain(secret).filter_map(|(what, path, change, mode)| {
        let (path, by) = (path?, user.kept_from(path?)?);
        let todo = if by == *path && by.is_dir() {
            format!("`chown -R {NAME} {}`", by.display())
        } else if by.is_dir() {
            format!("it may not enter {}", by.display())
        } else {
            format!("`{change} {NAME} {0}` and `chmod {mode} {0}`", by.display())
        };
        let detail = format!("the service's user {NAME} cannot get at {}: {todo}", path.display());
        Some(Finding { what, verdict: Verdict::Fail, detail })
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn each_file_that_the_service_cannot_get_at_is_named_with_what_helps() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let put = |name: &str, mode| {
            fs::write(path(name), "").unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        put("gladhand.toml", 0o640);
        put("roster.toml", 0o600);
        put("key", 0o600);
        fs::create_dir(path("state")).unwrap();
        fs::set_permissions(path("state"), fs::Permissions::from_mode(0o700)).unwrap();
        let mut config = Config::default();
        config.elevenlabs.api_key_file = Some(path("key"));
        config.gateway.state_dir = path("state");
        let us = fs::metadata(path("key")).unwrap();
        // In our group, as the configuration is in gladhand's.
        let user = User { uid: us.uid() + 1, gid: us.gid() };
        let root = root.path().display().to_string();
        let found: Vec<_> = kept_from(&path("gladhand.toml"), &config, user)
            .into_iter()
            .map(|found| format!("{}: {}", found.what, found.detail.replace(&root, "")))
            .collect();
        assert_eq!(
            found,
            [
                "roster: the service's user gladhand cannot get at /roster.toml: `chgrp gladhand /roster.toml` and `chmod 0640 /roster.toml`",
                "API key: the service's user gladhand cannot get at /key: `chown gladhand /key` and `chmod 0600 /key`",
                "store: the service's user gladhand cannot get at /state: `chown -R gladhand /state`",
            ]
        );
    }
}
