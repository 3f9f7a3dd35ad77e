//! Documents are added once for each content, and a directory is kept.

mod account;

use std::fs;

use account::Gateway;
use serde_json::json;

#[tokio::test]
async fn each_content_is_added_once() {
    let gateway = Gateway::with_empty_account().await;
    fs::write(gateway.path("rules.txt"), "Ask first.").unwrap();
    for add in [
        &["knowledge", "add", "rules.txt", "--json"][..],
        &["knowledge", "add", "--text", "Gate 4", "--name", "Yards", "--json"],
        &["knowledge", "add", "--url", "https://example.org/yards", "--json"],
    ] {
        let first = gateway.json(add).await;
        let again = gateway.json(add).await;
        assert_eq!((&first["added"], &again["added"], &again["id"]), (&json!(true), &json!(false), &first["id"]), "{add:?}");
    }
    fs::write(gateway.path("rules.txt"), "Ask twice.").unwrap();
    assert_eq!(gateway.json(&["knowledge", "add", "rules.txt", "--json"]).await["added"], true);
    let list = gateway.run(&["knowledge", "list"]).await.out;
    assert_eq!(list.lines().count(), 5, "{list}");

    let documents = gateway.documents().await;
    let ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(gateway.run(&[&["knowledge", "remove"][..], &ids].concat()).await.code, 3);
    assert_eq!(gateway.documents().await.len(), ids.len(), "said, and not done");
    assert_eq!(gateway.run(&[&["knowledge", "remove", "--yes"][..], &ids].concat()).await.code, 0);
    assert!(gateway.documents().await.is_empty());
    assert_eq!(gateway.run(&["knowledge", "add", "--text", "x"]).await.code, 1, "a text has no name of its own");
    assert_eq!(gateway.run(&["knowledge", "add"]).await.code, 2);
}

#[tokio::test]
async fn a_directory_is_kept_and_nothing_else() {
    let gateway = Gateway::with_empty_account().await;
    let file = |name: &str| gateway.path("docs").join(name);
    fs::create_dir_all(file("yards")).unwrap();
    fs::write(file("yards/laredo.md"), "Gate 4").unwrap();
    fs::write(file("rules.txt"), "Ask first.").unwrap();
    fs::write(file(".hidden"), "x").unwrap();
    gateway.account().create_document_from_text("theirs", Some("docs/theirs")).await.unwrap();

    let dry = gateway.run(&["knowledge", "sync", "docs"]).await;
    assert_eq!((dry.code, gateway.documents().await.len()), (3, 1), "{dry:?}");
    let sync = ["knowledge", "sync", "docs", "--yes", "--json"];
    let first = gateway.json(&sync).await;
    assert_eq!((first["add"].as_array().unwrap().len(), first["unchanged"].clone()), (2, json!(0)), "{first:#}");
    let again = gateway.json(&sync).await;
    assert_eq!((&again["add"], &again["remove"], &again["unchanged"]), (&json!([]), &json!([]), &json!(2)));

    fs::write(file("yards/laredo.md"), "Gate 5").unwrap();
    fs::remove_file(file("rules.txt")).unwrap();
    let changed = gateway.json(&sync).await;
    assert_eq!((changed["add"].as_array().unwrap().len(), changed["remove"].as_array().unwrap().len()), (1, 2), "{changed:#}");
    let left: Vec<_> = gateway.documents().await.into_iter().map(|document| document.name).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left.contains(&"docs/theirs".to_owned()) && left.iter().any(|name| name.starts_with("docs/yards/laredo.md [gladhand "))
    );
}
