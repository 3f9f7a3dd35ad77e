//! Lines of the journal: one for each change of a call or a violation, with fields to search by. No phone number, no
//! position above DEBUG.

use tracing::{debug, info, warn};

use crate::core::calls::{Call, State};
use crate::core::machine::Telling;
use crate::core::separation::{Finding, FindingEvent};

/// Writes it.
pub fn tell(telling: &Telling) {
    match telling {
        Telling::Finding(finding) => tell_finding(finding),
        Telling::Call(call) => tell_call(call),
        Telling::Warning(words) => warn!("{words}"),
        // A place of its own: it must not use up the lines of the others.
        Telling::NotFollowed(words) => warn!("{words}"),
    }
}

fn tell_finding(finding: &Finding) {
    let Finding { tractor, trailer, violation_id, .. } = finding;
    let kind = finding.kind.map_or("", |kind| kind.as_str());
    let far = finding.distance_m.0.round();
    let (state, words) = match finding.event {
        FindingEvent::Opened => ("opened", format!("violation {kind}: {tractor} and {trailer} are {far} m apart")),
        FindingEvent::Suspected => ("suspected", format!("{tractor} has left {trailer}, which is silent: suspected only")),
        FindingEvent::Closed => ("closed", format!("violation {kind} of {tractor} and {trailer} is over")),
        FindingEvent::DroppedOk => ("dropped_ok", format!("{tractor} left {trailer} where it may be")),
    };
    info!(violation_id = %violation_id, tractor = %tractor, trailer = %trailer, state, "{words}");
    debug!(violation_id = %violation_id, position = ?finding.position, "decided by {} at {}", finding.decided_by.unit, finding.decided_by.ts);
}

fn tell_call(call: &Call) {
    let reason = call.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let outcome = call.outcome.map(|outcome| format!(": {}", outcome.as_str())).unwrap_or_default();
    let words = format!("call to driver {} {}{outcome}{reason}", call.driver.id, call.state);
    let violation_id = call.violation_id().map(|id| id.as_str()).unwrap_or_default();
    let (call_sid, state) = (call.call_sid.as_str(), call.state.as_str());
    match call.state {
        State::Unknown | State::Failed | State::Expired => warn!(call_sid, violation_id, state, "{words}"),
        State::Pending | State::Held | State::Dialing | State::Placed | State::Concluded | State::Cancelled => {
            info!(call_sid, violation_id, state, "{words}");
        }
    }
}
