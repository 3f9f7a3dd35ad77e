//! A private mosquitto for one test: own free loopback port, own directory, persistence on, killed on drop.
//!
//! ```ignore
//! #[path = "common/mosquitto.rs"]
//! mod mosquitto;
//!
//! let mut broker = mosquitto::Mosquitto::start();
//! broker.port();      // connect here
//! broker.kill();      // SIGKILL: what was not saved is gone
//! broker.wipe();      // sessions, queues and retained messages are gone too
//! broker.restart();   // same port, same directory
//! ```
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a helper of tests fails its test")]
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running, or stopped, mosquitto.
pub struct Mosquitto {
    program: PathBuf,
    directory: TempDir,
    port: u16,
    extra: String,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one that lets everybody in, and waits until it accepts connections.
    pub fn start() -> Self {
        Self::start_with("allow_anonymous true\n")
    }

    /// Starts one with these configuration lines after the listener's; `{dir}` in them stands for [`directory`](Self::directory).
    /// With persistence on and nobody let in unless the lines say so.
    pub fn start_with(extra: &str) -> Self {
        Self::prepare(extra, |_| ()).started()
    }

    /// As [`start_with`](Self::start_with), after `prepare` has put its files (passwords, access lists) into the directory.
    pub fn start_prepared(extra: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::prepare(extra, prepare).started()
    }

    /// On 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Holds the configuration, the log and `data/`, its persistence.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// SIGTERM: it says goodbye to its clients and saves sessions, queues and retained messages.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, "TERM");
            child.wait().expect("mosquitto ends on SIGTERM");
        }
    }

    /// SIGKILL: nothing is said, nothing is saved.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Deletes what a stopped one has saved.
    pub fn wipe(&self) {
        assert!(self.child.is_none(), "wiping the persistence of a running mosquitto has no effect");
        drop(fs::remove_file(self.directory.path().join("data/mosquitto.db")));
    }

    /// Starts it again where it was, stopping it first if it runs.
    pub fn restart(&mut self) {
        self.stop();
        if let Err(why) = self.launch() {
            panic!("mosquitto does not start again: {why}");
        }
    }

    /// SIGSTOP: connections stay open and nobody answers, like a link that went dead.
    pub fn freeze(&self) {
        signal(self.child.as_ref().expect("freezes only what runs"), "STOP");
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        signal(self.child.as_ref().expect("thaws only what runs"), "CONT");
    }

    fn prepare(extra: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = TempDir::new().expect("a directory for mosquitto");
        fs::create_dir(directory.path().join("data")).expect("a directory for its persistence");
        prepare(directory.path());
        let extra = extra.replace("{dir}", &directory.path().to_string_lossy());
        Self { program: program(), directory, port: 0, extra, child: None }
    }

    /// Another process may take the free port between our look and mosquitto's: then it tries another.
    fn started(mut self) -> Self {
        let mut why = String::new();
        for _ in 0..5 {
            self.port = free_port();
            match self.launch() {
                Ok(()) => return self,
                Err(e) => why = e,
            }
        }
        panic!("mosquitto does not start: {why}");
    }

    fn launch(&mut self) -> Result<(), String> {
        let (directory, port, extra) = (self.directory.path(), self.port, &self.extra);
        let configuration = directory.join("mosquitto.conf");
        // As root it would change to its own user, who may not write here.
        let text = format!(
            "user root\npersistence true\npersistence_location {data}/\nautosave_interval 0\n\
             listener {port} 127.0.0.1\n{extra}\n",
            data = directory.join("data").display(),
        );
        fs::write(&configuration, text).map_err(|e| e.to_string())?;
        let log = File::options().create(true).append(true).open(directory.join("log")).map_err(|e| e.to_string())?;
        let said = log.metadata().map_err(|e| e.to_string())?.len() as usize;
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(&configuration)
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let child = self.child.insert(child);
        let log = directory.join("log");
        // It says so only when the port is its own: one that answers may be another test's broker.
        let running = || fs::read_to_string(&log).is_ok_and(|log| log.get(said..).is_some_and(|now| now.contains(" running\n")));
        match accepts(child, port, running) {
            Ok(()) => Ok(()),
            Err(why) => {
                self.kill();
                Err(format!("{why}\n{}", self.log()))
            }
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of 127.0.0.1 on which nobody listens now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

/// mosquitto, which distributions install to a directory that is not in everybody's PATH.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|directory| directory.join("mosquitto"))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("mosquitto is not installed: `make test` says which packages the tests need"))
}

fn accepts(child: &mut Child, port: u16, running: impl Fn() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let ended: Option<ExitStatus> = child.try_wait().map_err(|e| e.to_string())?;
        if let Some(status) = ended {
            return Err(format!("it ended with {status}"));
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if running() && TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err("it accepts no connection within 10 s".to_owned());
        }
        sleep(Duration::from_millis(2));
    }
}

/// std can send SIGKILL only.
fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status().expect("sh sends a signal");
    assert!(status.success(), "SIG{name} was not sent");
}
