//! The daemon itself, as a process, on a configuration of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{DemoError, doing};
use crate::standin;

/// A configuration that can be started.
pub struct Daemon {
    dir: PathBuf,
}

/// Killed when dropped.
pub struct Running {
    child: Child,
}

impl Daemon {
    /// Writes the configuration.
    pub fn write(dir: &Path, broker: u16, vendor: &str) -> Result<Self, DemoError> {
        let config = format!(
            r#"[gateway]
id = "demo"
state_dir = "{state}"

[mqtt]
port = {broker}

[[telemetry]]
topic = "fleet/+/telemetry"
format = "gladhand"

[elevenlabs]
base_url = "{vendor}"
agent_id = "agent_demo"
agent_phone_number_id = "phnum_demo"

[health]
interval = "10s"

[api]
socket = "{socket}"
"#,
            state = dir.join("state").display(),
            socket = dir.join("gladhand.sock").display(),
        );
        doing("writing the configuration", fs::write(dir.join("gladhand.toml"), config))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Starts it; what it says goes to a file.
    pub fn start(&self) -> Result<Running, DemoError> {
        let log =
            doing("opening the daemon's log", File::options().create(true).append(true).open(self.dir.join("gladhand.log")))?;
        let mut command = Command::new(doing("finding this program", std::env::current_exe())?);
        command.arg("run").arg("--config").arg(self.dir.join("gladhand.toml"));
        command.env("ELEVENLABS_API_KEY", standin::KEY).env_remove("CREDENTIALS_DIRECTORY").env_remove("NOTIFY_SOCKET");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        Ok(Running { child: doing("starting gladhand", command.spawn())? })
    }
}

impl Running {
    /// SIGKILL.
    pub async fn kill(&mut self) -> Result<(), DemoError> {
        doing("killing gladhand", self.child.kill().await)
    }

    /// SIGTERM, as the service manager does it.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        let pid = self.child.id().unwrap_or_default().to_string();
        doing("telling gladhand to stop", Command::new("kill").args(["-TERM", &pid]).status().await)?;
        let patience = Duration::from_secs(5);
        match timeout(patience, self.child.wait()).await {
            Ok(ended) => doing("waiting for gladhand to stop", ended).map(drop),
            Err(_) => Err(DemoError::InVain(patience, "gladhand to stop".to_owned())),
        }
    }
}
