//! As long as nobody can have been rung the call waits, whatever stands between us and the vendor, and it is placed once the
//! way is free: after a closed port, a name that does not resolve, and a handshake that fails.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Heard, REQUEST, Setup};

async fn request(gateway: &mut Gateway, driver: &str) {
    let payload = format!(r#"{{"drivers":[{{"driverId":"{driver}","phoneNumber":"+12125550155"}}]}}"#);
    gateway.watch.publish(REQUEST, payload, false).await;
}

fn of(state: &'static str, driver: &'static str) -> impl Fn(&Heard) -> bool {
    move |said| said.call(state) && said.is("/driver/id", driver)
}

#[tokio::test]
async fn the_call_waits_and_leaves_by_itself() {
    let mut gateway = Gateway::start(Setup::default()).await;
    let right = gateway.read("gladhand.toml");
    let vendor = gateway.vendor.base_url();

    gateway.vendor.down().await;
    request(&mut gateway, "closed-port").await;
    gateway.watch.health("no uplink", |h| h["uplink"] == "offline" && h["calls"]["pending"] == 1).await;
    gateway.vendor.up().await.unwrap();
    gateway.watch.message("the call to be placed", of("placed", "closed-port")).await;

    // The stand-in answers a ClientHello as HTTP.
    for (driver, url) in [("no-name", "https://gladhand.invalid".to_owned()), ("no-tls", vendor.replace("http:", "https:"))] {
        gateway.write("gladhand.toml", &right.replace(&vendor, &url));
        gateway.signal("HUP").await;
        daemon::until("the configuration to be read", || gateway.log().matches("read again").count() % 2 == 1).await;
        request(&mut gateway, driver).await;
        let back = |said: &Heard| said.call("pending") && said.is("/driver/id", driver) && !said.text("/reason").is_empty();
        let refused = gateway.watch.message("the attempt to fail", back).await;
        assert!(!refused.text("/reason").contains("://"), "{}", refused.json);
        gateway.write("gladhand.toml", &right);
        gateway.signal("HUP").await;
        daemon::until("the configuration to be read", || gateway.log().matches("read again").count() % 2 == 0).await;
        gateway.watch.message("the call to be placed", |said| said.call("placed") && said.is("/driver/id", driver)).await;
    }
    assert_eq!((gateway.posts(), gateway.vendor.conversations().len()), (3, 3));
    assert_eq!(gateway.watch.count(|said| said.call("unknown")), 0);
}
