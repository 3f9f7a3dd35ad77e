//! `gladhand demo`: the whole story on one machine, with nothing to set up.

use super::{Failure, Outcome};
use crate::demo;

pub(super) fn run() -> Outcome {
    match super::runtime()?.block_on(demo::run()) {
        Ok(true) => Ok(String::new()),
        Ok(false) => Err(Failure::Failed("the demo did not end as it should".to_owned())),
        Err(why) => Err(Failure::Failed(format!("the demo could not be shown: {why}"))),
    }
}
