//! An `agent apply` whose answer is lost says what may have been made, and the next one goes on from there: nothing is made twice.

mod account;

use account::Gateway;
use gladhand::standin::EndpointFault;

#[tokio::test]
async fn the_next_one_finds_what_was_made() {
    let gateway = Gateway::with_number().await;
    let yards = "\n[[document]]\nname = \"Yards\"\ntext = \"Gate 4\"\n# What it may look up.";
    gateway.edit("agent.toml", "\n# What it may look up.", yards);
    let lost = ["knowledge_create", "agent_create"]
        .map(|endpoint| format!("[[fault]]\nendpoint = \"{endpoint}\"\nnth = 1\ndrop = true\ndone = true\n"));
    gateway.vendor.set_endpoint_faults(EndpointFault::read(&lost.concat()).unwrap());

    let first = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!((first.code, first.err.contains("what it may have made: doc_")), (1, true), "{first:?}");
    let second = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!((second.code, second.err.contains("apply again, it is found by its name")), (1, true), "{second:?}");
    assert!(!gateway.path("account.toml").exists());
    let third = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!(third.code, 0, "{third:?}");
    assert_eq!((gateway.agents().await.len(), gateway.documents().await.len()), (1, 1));
    assert_eq!(gateway.run(&["agent", "plan"]).await.code, 0);
}
