//! Once the request may have arrived, nothing but an answer brings the call further: slow is waited for; broken off, swallowed,
//! or a captive portal's page is "unknown", and nobody is rung twice.

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/proxy.rs"]
mod proxy;

use std::time::Duration;

use daemon::{Gateway, REQUEST, Setup};
use gladhand::standin::{Fault, Reply};
use proxy::{Proxy, Then};

async fn state_of(gateway: &mut Gateway, driver: &str) -> String {
    let payload = format!(r#"{{"drivers":[{{"driverId":"{driver}","phoneNumber":"+12125550155"}}]}}"#);
    gateway.watch.publish(REQUEST, payload, false).await;
    let decided = |said: &daemon::Heard| (said.call("placed") || said.call("unknown")) && said.is("/driver/id", driver);
    let said = gateway.watch.message("the attempt to end", decided).await;
    assert_eq!(said.text("/reason").is_empty(), said.call("placed"), "{}", said.json);
    said.text("/state").to_owned()
}

fn rung(gateway: &Gateway, driver: &str) -> usize {
    let of = |driver: &str| format!("\"driver_id\":\"{driver}\"");
    gateway.vendor.conversations().iter().filter(|call| call.request.to_string().contains(&of(driver))).count()
}

#[tokio::test]
async fn what_may_have_rung_is_not_dialled_again() {
    let mut gateway = Gateway::prepare(Setup::default()).await;
    let proxy = Proxy::to(gateway.vendor.addr().port()).await;
    let through = format!("http://127.0.0.1:{}\"\ntimeout = \"3s", proxy.port());
    gateway.write("gladhand.toml", &gateway.read("gladhand.toml").replace(&gateway.vendor.base_url(), &through));
    gateway.launch().await;

    gateway.vendor.set_faults([Fault::new(Reply::Usual).after(Duration::from_secs(1))]);
    assert_eq!(state_of(&mut gateway, "slow").await, "placed");

    gateway.vendor.set_faults([Fault::new(Reply::Html)]);
    assert_eq!(state_of(&mut gateway, "portal").await, "unknown");
    assert_eq!(rung(&gateway, "portal"), 0);

    for (driver, then, rings) in [
        // Inside the status line, and inside the body.
        ("reset-early", Then::ResetAfter(9), 1),
        ("reset-late", Then::ResetAfter(150), 1),
        ("no-answer", Then::SwallowAnswers, 1),
        ("half-open", Then::Swallow, 0),
    ] {
        let posts = gateway.posts();
        proxy.treat_new(then);
        assert_eq!(state_of(&mut gateway, driver).await, "unknown", "{driver}");
        assert_eq!((rung(&gateway, driver), gateway.posts() - posts), (rings, rings), "{driver}");
        proxy.treat_new(Then::Pass);
    }
    // What leaves after them goes well, and by then none of them has been dialled again.
    assert_eq!(state_of(&mut gateway, "at-last").await, "placed");
    for (driver, most) in
        [("slow", 1), ("portal", 0), ("reset-early", 1), ("reset-late", 1), ("no-answer", 1), ("half-open", 0), ("at-last", 1)]
    {
        assert_eq!(rung(&gateway, driver), most, "{driver}");
    }
}
