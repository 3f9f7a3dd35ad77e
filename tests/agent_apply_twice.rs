//! `agent apply` makes the account what the file asks for; again, it changes nothing.

mod account;

use account::Gateway;
use serde_json::json;

#[tokio::test]
async fn applied_again_nothing_changes() {
    let gateway = Gateway::with_number().await;
    std::fs::write(gateway.path("rules.txt"), "Ask first.\n").unwrap();
    let documents = "\n[[document]]\nname = \"Yards\"\ntext = \"Gate 4\"\n[[document]]\nname = \"Rules\"\nfile = \"rules.txt\"\n";
    gateway.edit("agent.toml", "\n# What it may look up.", &format!("{documents}\n# What it may look up."));

    let dry = gateway.run(&["agent", "apply"]).await;
    assert_eq!(dry.code, 3, "{dry:?}");
    assert!(dry.out.ends_with("nothing was changed; apply --yes does it\n"), "{}", dry.out);
    assert!(gateway.agents().await.is_empty() && gateway.documents().await.is_empty());
    assert!(!gateway.path("account.toml").exists());

    let first = gateway.json(&["agent", "apply", "--yes", "--json"]).await;
    assert_eq!((&first["done"], &first["notes"]), (&json!(true), &json!([])), "{first:#}");
    let made = (gateway.agents().await, gateway.documents().await, gateway.read("account.toml"));
    assert_eq!((made.0.len(), made.1.len()), (1, 2));
    assert!(made.2.contains(&format!("agent_id = \"{}\"", made.0[0].agent_id)), "{}", made.2);

    let second = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!((second.code, second.out.ends_with("nothing differs\n")), (0, true), "{second:?}");
    assert_eq!((gateway.agents().await, gateway.documents().await, gateway.read("account.toml")), made);

    // On another gateway of the same account, which has the file and the key and nothing else.
    std::fs::remove_file(gateway.path("account.toml")).unwrap();
    assert_eq!(gateway.run(&["agent", "apply", "--yes"]).await.code, 0);
    assert_eq!((gateway.agents().await, gateway.documents().await, gateway.read("account.toml")), made);
}

#[tokio::test]
async fn only_what_the_file_speaks_of_is_changed() {
    let gateway = Gateway::with_number().await;
    let yards = "\n[[document]]\nname = \"Yards\"\ntext = \"Gate 4\"\n# What it may look up.";
    gateway.edit("agent.toml", "\n# What it may look up.", yards);
    assert_eq!(gateway.run(&["agent", "apply", "--yes"]).await.code, 0);
    let before = gateway.agents().await.remove(0);
    let item = json!({"type": "boolean", "description": "Whether it rained."});
    gateway
        .in_the_console(
            Some(&before.agent_id),
            json!({
                "tags": ["gladhand", "fleet"],
                "conversation_config": {"turn": {"mode": "turn"}},
                "platform_settings": {"data_collection": {"weather": item}, "call_limits": {"daily_limit": 70}},
            }),
        )
        .await;
    assert_eq!(gateway.run(&["agent", "plan"]).await.code, 0, "none of that is the file's");

    gateway.edit("agent.toml", "turn_timeout = 10", "turn_timeout = 12");
    gateway.edit("agent.toml", "Gate 4", "Gate 5");
    let plan = gateway.json(&["agent", "plan", "--json"]).await;
    let paths: Vec<_> = plan["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap()).collect();
    let expected = ["conversation_config.agent.prompt.knowledge_base", "conversation_config.turn.turn_timeout"];
    assert_eq!(paths, expected, "{plan:#}");

    let done = gateway.json(&["agent", "apply", "--yes", "--json"]).await;
    assert_eq!(done["notes"], json!([]), "{done:#}");
    let after = gateway.agents().await.remove(0);
    assert_eq!(after.conversation_config["turn"]["turn_timeout"], json!(12.0));
    assert_eq!(after.conversation_config["turn"]["mode"], "turn");
    let settings = after.platform_settings.unwrap();
    assert_eq!(
        (&settings["data_collection"]["weather"]["type"], &settings["call_limits"]["daily_limit"]),
        (&json!("boolean"), &json!(70))
    );
    assert!(settings["data_collection"]["trailer_location"].is_object());
    assert_eq!(after.tags.unwrap(), ["gladhand", "fleet"]);
    assert_eq!(gateway.documents().await.len(), 1, "the old text is gone");
    assert_eq!(gateway.run(&["agent", "plan"]).await.code, 0);
}
