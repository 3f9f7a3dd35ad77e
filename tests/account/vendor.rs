//! The vendor's account for these tests: agents, documents, numbers and conversations, in the vendor's shapes and with the defaults
//! that it adds. Objects of a request are merged, lists replaced.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use gladhand::standin::KEY;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// See the module.
pub struct Vendor {
    address: SocketAddr,
    account: Account,
    server: Option<JoinHandle<()>>,
}

#[derive(Clone, Default)]
struct Account(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    made: u32,
    /// By resource, then by id, in the order in which they were made.
    of: BTreeMap<&'static str, BTreeMap<String, Value>>,
    lacks_right: bool,
}

impl Vendor {
    pub async fn start() -> Self {
        let mut vendor = Self { address: "127.0.0.1:0".parse().unwrap(), account: Account::default(), server: None };
        vendor.up().await;
        vendor
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let account = self.account.clone();
        let app =
            Router::new().fallback(answer).layer(middleware::from_fn_with_state(account.clone(), guard)).with_state(account);
        self.server = Some(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }));
    }

    pub async fn down(&mut self) {
        let server = self.server.take().unwrap();
        server.abort();
        let _aborted = server.await;
    }

    /// The key may do nothing from now on.
    pub fn take_rights_away(&self) {
        self.account.0.lock().unwrap().lacks_right = true;
    }

    /// A conversation, with a recording.
    pub fn talked(&self, conversation: Value) {
        let id = conversation["conversation_id"].as_str().unwrap().to_owned();
        self.account.0.lock().unwrap().of.entry("conversations").or_default().insert(id, conversation);
    }
}

async fn guard(State(account): State<Account>, request: Request, next: Next) -> Response {
    let refused = |status, code: &str| (status, Json(json!({"detail": {"status": code, "message": code}}))).into_response();
    if request.headers().get("xi-api-key").is_none_or(|key| key != KEY) {
        return refused(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    if account.0.lock().unwrap().lacks_right {
        return refused(StatusCode::UNAUTHORIZED, "missing_permissions");
    }
    next.run(request).await
}

async fn answer(State(account): State<Account>, method: Method, uri: axum::http::Uri, body: Bytes) -> Response {
    let mut kept = account.0.lock().unwrap();
    let path: Vec<&str> = uri.path().trim_start_matches("/v1/convai/").split('/').collect();
    let json_body = || serde_json::from_slice::<Value>(&body).unwrap();
    let found = match (method.as_str(), path.as_slice()) {
        ("GET", ["phone-numbers"]) => Some(kept.rows("numbers").into()),
        ("POST", ["phone-numbers"]) => {
            let mut number = json_body();
            assert_eq!(number.as_object_mut().unwrap().remove("token"), Some(json!("twilio_token_0123456789")));
            Some(kept.make("numbers", "phone_number_id", "phnum", json!({"supports_outbound": true}), number))
        }
        ("GET", ["agents"]) => Some(page("agents", kept.rows("agents"))),
        ("POST", ["agents", "create"]) => {
            let defaults = json!({
                "tags": [], "metadata": {"created_at_unix_secs": 1, "updated_at_unix_secs": 1},
                "conversation_config": {
                    "turn": {"turn_timeout": 7.0, "mode": "turn"},
                    "agent": {"prompt": {"llm": "default", "built_in_tools": {"end_call": null, "skip_turn": null}, "knowledge_base": []}},
                },
                "platform_settings": {"evaluation": {"criteria": []}, "data_collection": {}},
            });
            Some(kept.make("agents", "agent_id", "agent", defaults, json_body()))
        }
        ("GET", ["agents", id]) => kept.one("agents", id),
        ("PATCH", ["agents", id]) => kept.one("agents", id).map(|agent| {
            let agent = with_item_defaults(merged(agent, json_body()));
            kept.of.entry("agents").or_default().insert((*id).to_owned(), agent.clone());
            agent
        }),
        ("GET", ["knowledge-base"]) => Some(page("documents", kept.rows("documents"))),
        ("POST", ["knowledge-base", kind]) => {
            let name =
                if *kind == "file" { field_of_form(&body, "name") } else { json_body()["name"].as_str().unwrap().to_owned() };
            let document = json!({"name": name, "type": kind, "metadata": {"size_bytes": body.len()}});
            Some(kept.make("documents", "id", "doc", json!({}), document))
        }
        ("DELETE", ["knowledge-base", id]) => kept.remove("documents", id),
        ("DELETE", ["agents", id]) => kept.remove("agents", id),
        ("GET", ["conversations"]) => {
            let sid = uri
                .query()
                .and_then(|query| query.split_once("call_sid%3Aeq%3A"))
                .map(|(_, rest)| rest.split('&').next().unwrap());
            let mut rows = kept.rows("conversations");
            rows.retain(|row| sid.is_none_or(|sid| row["user_id"] == sid));
            Some(page("conversations", rows))
        }
        ("GET", ["conversations", id]) => kept.one("conversations", id),
        ("GET", ["conversations", id, "audio"]) if kept.one("conversations", id).is_some() => {
            return vec![7_u8; 100_000].into_response();
        }
        ("DELETE", ["conversations", id]) => kept.remove("conversations", id),
        _ => None,
    };
    match found {
        Some(value) => Json(value).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"detail": {"status": "not_found", "message": "not found"}}))).into_response(),
    }
}

impl Kept {
    fn rows(&self, of: &str) -> Vec<Value> {
        self.of.get(of).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn one(&self, of: &str, id: &str) -> Option<Value> {
        self.of.get(of)?.get(id).cloned()
    }

    fn remove(&mut self, of: &str, id: &str) -> Option<Value> {
        self.of.get_mut(of)?.remove(id).map(|_| json!({}))
    }

    fn make(&mut self, of: &'static str, key: &str, prefix: &str, defaults: Value, body: Value) -> Value {
        self.made += 1;
        let id = format!("{prefix}_{:04}", self.made);
        let made = with_item_defaults(merged(merged(defaults, body), json!({ key: id })));
        self.of.entry(of).or_default().insert(id, made.clone());
        made
    }
}

fn page(rows: &str, of: Vec<Value>) -> Value {
    json!({ rows: of, "has_more": false, "next_cursor": null })
}

fn merged(has: Value, request: Value) -> Value {
    match (has, request) {
        (Value::Object(mut has), Value::Object(request)) => {
            for (key, part) in request {
                let before = has.remove(&key).unwrap_or_default();
                has.insert(key, merged(before, part));
            }
            Value::Object(has)
        }
        (_, request) => request,
    }
}

/// What the vendor adds to each element of a list.
fn with_item_defaults(mut made: Value) -> Value {
    for (list, key, default) in [
        ("/platform_settings/evaluation/criteria", "scope", json!("conversation")),
        ("/conversation_config/agent/prompt/knowledge_base", "usage_mode", json!("auto")),
    ] {
        for item in made.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            item.as_object_mut().unwrap().entry(key).or_insert_with(|| default.clone());
        }
    }
    made
}

fn field_of_form(body: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(body).into_owned();
    let (_, rest) = text.split_once(&format!("name=\"{name}\"\r\n\r\n")).unwrap();
    rest.split("\r\n").next().unwrap().to_owned()
}
