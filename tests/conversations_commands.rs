//! What was talked about is listed, shown, fetched and deleted, without telephone numbers on the screen.

mod account;

use account::{Gateway, NUMBER};
use serde_json::json;

#[tokio::test]
async fn a_call_is_seen_from_the_command_line() {
    let gateway = Gateway::with_number().await;
    let id = "conv_9601kaf71jfne4d9";
    gateway.vendor.talked(json!({
        "conversation_id": id, "agent_id": "agent_1", "status": "done", "user_id": "EL_DR001_1", "has_audio": true,
        "start_time_unix_secs": 1_763_697_660, "call_duration_secs": 75, "message_count": 2, "call_successful": "success",
        "metadata": {"start_time_unix_secs": 1_763_697_660, "call_duration_secs": 75, "termination_reason": "end_call tool",
                     "phone_call": {"external_number": NUMBER, "agent_number": "+12125550199"}},
        "transcript": [
            {"role": "agent", "message": "Are you with\u{1b}[2J your trailer?", "time_in_call_secs": 0},
            {"role": "user", "message": format!("Call me at {NUMBER}."), "time_in_call_secs": 4},
        ],
        "analysis": {"transcript_summary": "He is not.", "call_successful": "success",
                     "data_collection_results": {"driver_answer": {"value": "did not know", "rationale": ""}}},
        "conversation_initiation_client_data": {"dynamic_variables": {"call_sid": "EL_DR001_1", "transfer_to": "+12125550199"}},
    }));

    let list = gateway.run(&["conversations", "list"]).await;
    assert_eq!((list.code, list.out.lines().count()), (0, 2), "{list:?}");
    assert!(list.out.lines().last().unwrap().starts_with(id), "{}", list.out);
    let listed = gateway.json(&["conversations", "list", "--call-sid", "EL_DR001_1", "--json"]).await;
    assert_eq!(listed["conversations"][0]["conversation_id"], id);
    let none = gateway.run(&["conversations", "list", "--call-sid", "EL_other"]).await;
    assert_eq!(none.out, "no conversations\n");

    let shown = gateway.run(&["conversations", "show", id]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    let told = [
        "id         conv_9601kaf71jfne4d9",
        "call       EL_DR001_1",
        "status     done",
        "started    2025-11-21T04:01:00Z",
        "length     1m 15s",
        "ended      end_call tool",
        "summary    He is not.",
        "collected  driver_answer: did not know",
        "    0s  agent: Are you with [2J your trailer?",
        "    4s  user: Call me at +******.",
    ];
    assert_eq!(shown.out.lines().collect::<Vec<_>>(), told);
    let whole = gateway.json(&["conversations", "show", id, "--json"]).await;
    assert_eq!(whole["conversation_initiation_client_data"]["dynamic_variables"]["transfer_to"], "+******", "{whole:#}");

    let fetched = gateway.json(&["conversations", "audio", id, "call.mp3", "--json"]).await;
    let bytes = std::fs::metadata(gateway.path("call.mp3")).unwrap().len();
    assert_eq!((fetched["bytes"].as_u64(), bytes > 0), (Some(bytes), true));
    assert_eq!(gateway.run(&["conversations", "audio", id, "call.mp3"]).await.code, 1, "nothing is overwritten");
    assert_eq!(gateway.run(&["conversations", "audio", id, "call.mp3", "--force"]).await.code, 0);

    assert_eq!(gateway.run(&["conversations", "delete", id]).await.out, format!("{id}: deleted\n"));
    assert_eq!(gateway.run(&["conversations", "show", id]).await.code, 1);
}
