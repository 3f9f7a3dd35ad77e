//! `gladhand simulate`: the demo's rigs, published to any broker.

use std::path::Path;
use std::time::Duration;

use super::{Failure, Outcome, load};
use crate::config::secrets;
use crate::demo::{Feed, watch::Watch};
use crate::mqtt::Password;

/// Three rigs on 24 minutes of road that end now: one hauls, one drops its trailer in a yard, one leaves it behind.
///
/// Assignments and zones are published retained under the configuration's prefix, reports on `fleet/<unit>/telemetry`. The
/// drivers' numbers are reserved for fiction; still, point a real gateway at a stand-in first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long the 24 minutes take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    within: u64,
    /// Another seed drives other roads
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let config = load(config)?;
    let password = match &config.mqtt.password_file {
        Some(file) => {
            let found = secrets::from_file(file).map_err(|why| Failure::Failed(why.to_string()))?;
            Password::new(found.secret.expose())
        }
        None => None,
    };
    let feed = Feed::story(&config.mqtt.prefix, args.seed);
    let published = super::runtime()?.block_on(async {
        let mut watch = Watch::start(&config.mqtt, password.as_ref(), "gladhand-simulate", Vec::new());
        feed.publish(&mut watch, Duration::from_secs(args.within)).await?;
        watch.settled().await
    });
    published.map_err(|why| Failure::Failed(why.to_string()))?;
    Ok(format!("{} reports published\n", feed.reports()))
}
