//! A gateway's configuration, its vendor's account, and the commands between them.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use gladhand::elevenlabs::{Agent, AgentDraft, AgentsQuery, ApiKey, Client, Document, DocumentsQuery, Endpoint, Settings};
use gladhand::standin::{self, EndpointFault, StandIn};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

/// Of the account's number, which is the first that it gets.
pub const NUMBER: &str = "+12125550123";

/// See the module.
pub struct Gateway {
    pub vendor: StandIn,
    directory: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Did {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Gateway {
    /// With an account in which there is nothing.
    pub async fn with_empty_account() -> Self {
        let vendor = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let gateway = Self { vendor, directory: TempDir::new().unwrap() };
        gateway.configure("");
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/config/agent.toml"), gateway.path("agent.toml")).unwrap();
        gateway
    }

    /// With an account that has a telephone number and nothing else.
    pub async fn with_number() -> Self {
        let gateway = Self::with_empty_account().await;
        assert_eq!(gateway.run(&["numbers", "add", NUMBER, "--account-sid", "AC0123"]).await.code, 0);
        gateway
    }

    /// Writes gladhand.toml, with these lines at its end.
    pub fn configure(&self, lines: &str) {
        let state = self.path("state");
        fs::create_dir_all(&state).unwrap();
        let text = format!(
            "[gateway]\nid = \"yard-7\"\nstate_dir = \"{}\"\n[elevenlabs]\nbase_url = \"{}\"\nrequests_per_second = 100000\n{lines}",
            state.display(),
            self.vendor.base_url()
        );
        fs::write(self.path("gladhand.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Puts other words into a file.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    /// A command with the right key.
    pub async fn run(&self, args: &[&str]) -> Did {
        self.run_with_key(standin::KEY, args).await
    }

    pub async fn run_with_key(&self, key: &str, args: &[&str]) -> Did {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_gladhand"))
            .arg("--config")
            .arg(self.path("gladhand.toml"))
            .args(args)
            .current_dir(self.directory.path())
            .env("ELEVENLABS_API_KEY", key)
            .env_remove("TWILIO_AUTH_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever reads it takes it for Twilio's auth token; a command that reads nothing may be gone already.
        let _unread = child.stdin.take().unwrap().write_all(b"twilio_token_0123456789\n").await;
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let did = Did { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        for secret in [key, "twilio_token", NUMBER, "2125550199"] {
            assert!(!did.out.contains(secret) && !did.err.contains(secret), "{args:?} shows {secret}: {did:?}");
        }
        did
    }

    /// The same, which must go well, and its JSON.
    pub async fn json(&self, args: &[&str]) -> Value {
        let did = self.run(args).await;
        assert!(matches!(did.code, 0 | 3), "{args:?}: {did:?}");
        serde_json::from_str(&did.out).unwrap_or_else(|why| panic!("{args:?}: {why}: {did:?}"))
    }

    /// The account, as somebody else who uses it sees it.
    pub fn account(&self) -> Client {
        let settings = Settings {
            base_url: self.vendor.base_url(),
            requests_per_second: 100_000,
            timeout: Duration::from_secs(5),
            ..Settings::default()
        };
        Client::new(&settings, ApiKey::new(standin::KEY).unwrap()).unwrap()
    }

    /// The key may do nothing from now on.
    pub fn take_rights_away(&self) {
        let fault = |endpoint: &Endpoint| {
            format!("[[fault]]\nendpoint = \"{}\"\nstatus = 401\ncode = \"missing_permissions\"\n", endpoint.name())
        };
        let faults: String = Endpoint::ALL.iter().map(fault).collect();
        self.vendor.set_endpoint_faults(EndpointFault::read(&faults).unwrap());
    }

    /// All of its agents.
    pub async fn agents(&self) -> Vec<Agent> {
        let account = self.account();
        let mut agents = Vec::new();
        for row in account.list_agents(AgentsQuery::default()).collect(100).await.unwrap() {
            agents.push(account.get_agent(&row.agent_id).await.unwrap());
        }
        agents
    }

    /// All of its documents.
    pub async fn documents(&self) -> Vec<Document> {
        self.account().list_documents(DocumentsQuery::default()).collect(100).await.unwrap()
    }

    /// Somebody makes or changes an agent in the console.
    pub async fn in_the_console(&self, agent: Option<&str>, body: Value) -> String {
        let draft: AgentDraft = serde_json::from_value(body).unwrap();
        match agent {
            Some(id) => self.account().update_agent(id, &draft).await.unwrap().agent_id,
            None => self.account().create_agent(&draft).await.unwrap(),
        }
    }
}
