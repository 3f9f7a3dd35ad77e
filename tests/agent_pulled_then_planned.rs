//! A file that was made from an agent asks for nothing that the agent has not.

mod account;

use account::Gateway;
use serde_json::json;

#[tokio::test]
async fn what_was_pulled_differs_in_nothing() {
    let gateway = Gateway::with_number().await;
    let document = gateway.account().create_document_from_text("Gate 4", Some("Yards")).await.unwrap().id;
    let agent = json!({
        "name": "Night shift",
        "conversation_config": {
            "agent": {
                "first_message": "Hello {{driver_name}}",
                "language": "en",
                "dynamic_variables": {"dynamic_variable_placeholders": {"driver_name": "Ann", "n": 3}},
                "prompt": {
                    "prompt": "Line one.\n\n\"Line\" two: {{prompt}}\\",
                    "temperature": 0.4,
                    "built_in_tools": {"transfer_to_number": {"type": "system", "name": "transfer_to_number", "params": {
                        "system_tool_type": "transfer_to_number",
                        "transfers": [
                            {"transfer_destination": {"type": "phone", "phone_number": "+12125550123"}, "condition": "asked"},
                            {"transfer_destination": {"type": "phone_dynamic_variable", "phone_number": "transfer_to"}, "condition": "else",
                             "transfer_type": "blind"},
                        ],
                    }}},
                    "knowledge_base": [{"type": "text", "name": "Yards", "id": document, "usage_mode": "auto"}],
                },
            },
            "turn": {"turn_timeout": 8, "turn_eagerness": "eager"},
        },
        "platform_settings": {
            "evaluation": {"criteria": [{"id": "c1", "name": "Polite?", "type": "prompt", "conversation_goal_prompt": "It was polite."}]},
            "data_collection": {"mood": {"type": "string", "description": "The driver's mood."}},
        },
    });
    let id = gateway.in_the_console(None, agent).await;

    let refused = gateway.run(&["agent", "pull", "--agent", &id]).await;
    assert_eq!(refused.code, 1, "agent.toml is there: {refused:?}");
    assert_eq!(gateway.run(&["agent", "pull", "--agent", &id, "--force"]).await.code, 0);
    let plan = gateway.json(&["agent", "plan", "--agent", &id, "--json"]).await;
    assert_eq!((&plan["changes"], &plan["upload"], &plan["remove"]), (&json!([]), &json!([]), &json!([])), "{plan:#}");
    assert_eq!(plan["ours"], false);
}
