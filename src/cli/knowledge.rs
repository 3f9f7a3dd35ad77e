//! `gladhand knowledge`: the documents that the account's agents may look up.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::table::{self, field, plain_line, table};
use super::vendor::Progress;
use super::{Failure, Outcome};
use crate::account::documents::{Content as Hashed, Listed, name_here, name_there};
use crate::elevenlabs::{Client, Document, DocumentsQuery, Error, ErrorKind};

/// The most documents of an account that are looked at.
const MOST: usize = 10_000;

/// `gladhand knowledge`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// All documents
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a document; one that is there already, with the same content, is not added again
    Add {
        #[command(flatten)]
        content: Content,
        /// What it is called, when it is not the file or the address
        #[arg(long)]
        name: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove documents
    ///
    /// Without --yes it only says so, with exit code 3.
    Remove {
        /// Their ids
        #[arg(required = true)]
        documents: Vec<String>,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// Also from the agents that use them
        #[arg(long)]
        force: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the documents of a directory those of the account: new and changed ones are added, gone ones removed
    ///
    /// Without --yes it only says what it would do, with exit code 3 when that is something. Documents that were not made by this
    /// command from a directory of this name are left alone.
    Sync {
        /// The directory
        directory: PathBuf,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Content {
    /// A file
    file: Option<PathBuf>,
    /// A text
    #[arg(long)]
    text: Option<String>,
    /// A page, which the vendor reads once
    #[arg(long)]
    url: Option<String>,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let (_, client) = super::vendor::open(config)?;
    super::runtime()?.block_on(async {
        match &args.command {
            Command::List { json } => {
                let rows = documents(&client).await?;
                Ok(if *json { table::json(&json!({ "documents": rows })) } else { listing(&rows) })
            }
            Command::Add { content, name, json } => add(&client, content, name.as_deref(), *json).await,
            Command::Remove { documents, yes: false, json, .. } => Err(super::would("removed", documents, *json)),
            Command::Remove { documents, yes: true, force, json } => {
                for document in documents {
                    client.delete_document(document, *force).await.map_err(used)?;
                }
                let text = || documents.iter().map(|id| format!("{id}: removed\n")).collect();
                Ok(if *json { table::json(&json!({ "removed": documents })) } else { text() })
            }
            Command::Sync { directory, yes, json } => sync(&client, directory, *yes, *json).await,
        }
    })
}

/// What the account has.
pub(super) async fn documents(client: &Client) -> Result<Vec<Document>, Failure> {
    let query = DocumentsQuery { page_size: Some(100), ..DocumentsQuery::default() };
    Ok(client.list_documents(query).collect(MOST).await?)
}

/// The same, as plans know it.
pub(super) fn listed(documents: &[Document]) -> Vec<Listed> {
    let one = |document: &Document| Listed {
        id: document.id.clone(),
        name: document.name.clone(),
        kind: document.kind.as_str().to_owned(),
    };
    documents.iter().map(one).collect()
}

/// Sends a file under its name in the account, and says its id.
pub(super) async fn upload(client: &Client, file: &Path, name: &str) -> Result<String, Error> {
    let mut progress = Progress::of(name_here(name).unwrap_or(name));
    let at = move |bytes, total| progress.at(bytes, Some(total));
    Ok(client.create_document_from_file(file, Some(name), at).await?.id)
}

/// The name in the account of a document of ours of this file, which is read a piece at a time.
pub(super) fn name_of_file(name: &str, file: &Path) -> Result<String, Failure> {
    let failed = |why: io::Error| Failure::Failed(format!("{}: {why}", file.display()));
    let mut reader = fs::File::open(file).map_err(failed)?;
    let mut content = Hashed::default();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(content.name_there(name)),
            Ok(length) => content.add(piece.get(..length).unwrap_or_default()),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(failed(why)),
        }
    }
}

async fn add(client: &Client, content: &Content, name: Option<&str>, json: bool) -> Outcome {
    let file_name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = content.file.as_deref().map(file_name).or_else(|| content.url.clone());
    let Some(name) = name.map(str::to_owned).or(own) else {
        return Err(Failure::Failed("a text needs a --name".to_owned()));
    };
    let there = match (&content.file, &content.text, &content.url) {
        (Some(file), _, _) => name_of_file(&name, file)?,
        (None, Some(text), _) | (None, None, Some(text)) => name_there(&name, text.as_bytes()),
        (None, None, None) => return Err(Failure::Failed("nothing to add".to_owned())),
    };
    let known = documents(client).await?.into_iter().find(|document| document.name == there);
    let added = known.is_none();
    let id = match (known, &content.file, &content.url) {
        (Some(document), _, _) => document.id,
        (None, Some(file), _) => upload(client, file, &there).await?,
        (None, None, Some(url)) => client.create_document_from_url(url, Some(&there)).await?.id,
        (None, None, None) => {
            let text = content.text.as_deref().unwrap_or_default();
            client.create_document_from_text(text, Some(&there)).await?.id
        }
    };
    Ok(if json {
        table::json(&json!({ "id": id, "name": there, "added": added }))
    } else {
        format!("{id}: {} {}\n", plain_line(&there), if added { "added" } else { "is there already" })
    })
}

async fn sync(client: &Client, directory: &Path, yes: bool, json: bool) -> Outcome {
    let cannot = |why: io::Error| Failure::Failed(format!("{}: {why}", directory.display()));
    let root = directory.canonicalize().map_err(cannot)?;
    let prefix = format!("{}/", root.file_name().unwrap_or_default().to_string_lossy());
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort_unstable();
    let mut wanted = Vec::new();
    for file in files {
        let within = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy();
        wanted.push((name_of_file(&format!("{prefix}{within}"), &file)?, file));
    }
    let there = documents(client).await?;
    let ours = there.iter().filter(|document| name_here(&document.name).is_some_and(|name| name.starts_with(&prefix)));
    let gone: Vec<_> = ours.filter(|document| !wanted.iter().any(|(name, _)| *name == document.name)).collect();
    let new: Vec<_> = wanted.iter().filter(|(name, _)| !there.iter().any(|document| document.name == *name)).collect();
    let mut kept = Vec::new();
    if yes {
        for (name, file) in &new {
            upload(client, file, name).await?;
        }
        for document in &gone {
            match client.delete_document(&document.id, false).await {
                Ok(()) => {}
                Err(why) if is_in_use(&why) => kept.push(document.name.as_str()),
                Err(why) => return Err(why.into()),
            }
        }
    }
    let removed: Vec<_> = gone.iter().map(|document| document.name.as_str()).filter(|name| !kept.contains(name)).collect();
    let added: Vec<_> = new.iter().map(|(name, _)| name.as_str()).collect();
    let differs = !(added.is_empty() && removed.is_empty());
    let text = if json {
        table::json(
            &json!({ "add": added, "remove": removed, "in_use": kept, "unchanged": wanted.len() - new.len(), "done": yes }),
        )
    } else {
        let lines = [("add", &added), ("remove", &removed), ("still used by an agent:", &kept)];
        let named = |(what, names): (&str, &Vec<&str>)| {
            names.iter().map(|name| format!("{what} {}\n", plain_line(name))).collect::<String>()
        };
        let end = match (differs, yes) {
            (false, _) => "nothing differs\n",
            (true, true) => "done\n",
            (true, false) => "nothing was changed; --yes does it\n",
        };
        lines.into_iter().map(named).chain([end.to_owned()]).collect()
    };
    if differs && !yes { Err(Failure::Reported { text, code: super::DIFFERS }) } else { Ok(text) }
}

/// All files below a directory, hidden ones left out.
fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot = |why: io::Error| Failure::Failed(format!("{}: {why}", directory.display()));
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // A link to a directory is not followed: it may lead round in a circle.
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            walk(&entry.path(), found)?;
        } else if entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Whether the vendor refuses to remove a document because an agent uses it.
pub(super) fn is_in_use(why: &Error) -> bool {
    // The vendor documents neither status nor code of this refusal.
    matches!(why.kind, ErrorKind::Refused | ErrorKind::Failed) && why.status.is_some_and(|status| (400..500).contains(&status))
}

fn used(why: Error) -> Failure {
    if is_in_use(&why) { Failure::Failed(format!("{why}; --force removes it from the agents that use it")) } else { why.into() }
}

fn listing(documents: &[Document]) -> String {
    let rows: Vec<_> = documents
        .iter()
        .map(|document| {
            let value = serde_json::to_value(document).unwrap_or(Value::Null);
            let bytes = document.metadata.as_ref().and_then(|metadata| metadata.size_bytes);
            let ours = if name_here(&document.name).is_some() { "gladhand" } else { "-" };
            vec![
                field(&value, "/id"),
                plain_line(name_here(&document.name).unwrap_or(&document.name)),
                field(&value, "/type"),
                bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
                ours.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no documents\n".to_owned();
    }
    table(&["ID", "NAME", "TYPE", "BYTES", "MADE BY"], &rows)
}
