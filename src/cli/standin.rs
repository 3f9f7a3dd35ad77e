//! `gladhand standin`: the vendor, played.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Failure, Outcome};
use crate::host::signals::{Signal, Signals};
use crate::standin::{self, EndpointFault, StandIn};

/// Answers as ElevenLabs' API does, and rings nobody: agents, knowledge, numbers, calls, conversations, batches.
///
/// Point `elevenlabs.base_url` at it and give gladhand the key that it prints. Calls are answered after 0.2 s and over 0.3 s
/// later. It forgets everything when it ends.
///
/// A file of faults says what goes wrong, in TOML or JSON: one `[[fault]]` each, with `endpoint` (the names that health uses, such
/// as "outbound_call"), `nth` (which request to it, from 1; every one if absent) and one or more of `status`, `code`, `body`,
/// `retry-after`, `delay` ("5s") and `drop = true`. With `done = true` the request takes effect all the same.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8900")]
    listen: SocketAddr,
    /// What goes wrong
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "it says where it listens while it runs")]
pub(super) fn run(args: &Args) -> Outcome {
    let faults = match &args.faults {
        Some(path) => {
            let failed = |why: String| Failure::Failed(format!("{}: {why}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|why| failed(why.to_string()))?;
            EndpointFault::read(&text).map_err(failed)?
        }
        None => Vec::new(),
    };
    let calls = super::runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let vendor = StandIn::start(args.listen).await?;
        vendor.set_endpoint_faults(faults);
        println!("base_url = \"{}\"\nkey      = {}", vendor.base_url(), standin::KEY);
        while signals.next().await != Signal::Stop {}
        let calls = vendor.conversations().len();
        vendor.stop().await;
        std::io::Result::Ok(calls)
    });
    match calls {
        Ok(calls) => Ok(format!("calls: {calls}, and nobody's telephone rang\n")),
        Err(why) => Err(Failure::Failed(format!("{}: {why}", args.listen))),
    }
}
