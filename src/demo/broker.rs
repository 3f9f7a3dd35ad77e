//! A private mosquitto: own free port on loopback, own directory, persistence on, gone with the demo.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::{DemoError, doing};

/// Killed when dropped.
pub struct Broker {
    port: u16,
    _child: Child,
}

impl Broker {
    /// Starts one and waits until it accepts connections.
    pub async fn start(dir: &Path) -> Result<Self, DemoError> {
        doing("making the broker's directory", fs::create_dir_all(dir))?;
        let port = doing("finding a free port", free_port())?;
        let config = dir.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nlog_dest file {}\n",
            dir.display(),
            dir.join("log").display(),
        );
        doing("writing the broker's configuration", fs::write(&config, text))?;
        let mut command = Command::new(program());
        // As root it would drop to a user who may not write here.
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = doing("starting mosquitto (`make demo` installs it)", command.spawn())?;
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if Instant::now() > patience {
                return Err(DemoError::InVain(Duration::from_secs(10), "mosquitto".to_owned()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { port, _child: child })
    }

    /// On 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Debian keeps it where the path of ordinary users does not lead.
fn program() -> PathBuf {
    ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .unwrap_or_else(|| "mosquitto".into())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
