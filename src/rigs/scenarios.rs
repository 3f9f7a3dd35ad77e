//! What a detector must and must not find: the fleet's everyday, its trackers' faults, and trailers left, taken and stolen.

use core::f64::consts::TAU;
use core::ops::Range;

use super::road::Kind::{City, Country, Motorway, Ramp, Sea, Straight, Yard};
use super::road::{offset, towards};
use super::tracker::{Feed, Order, after};
use super::{Case, Expectation, Health, Kind, Rig, Rng, Scene, payload};
use crate::core::geo::{Metres, Position};
use crate::core::separation::ViolationKind::{LeftBehind, LeftWithoutTrailer, TrailerMovedFromDrop, TrailerMovingAlone};
use crate::core::telemetry::{Coupling, CouplingState};
use crate::core::time::UnixMillis;

/// One thing that happens to rigs, in as many variants as there are seeds.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its number.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    script: fn(&mut Scene) -> Expectation,
}

impl Scenario {
    /// The variant of this seed: another place, day, road and sampling for each.
    #[must_use]
    pub fn build(&self, seed: u64) -> Case {
        let mut seeds = Rng::new(seed);
        let mut scene = Scene::new((seeds.unit() * 1e15) as u64 ^ (u64::from(self.number) << 52));
        let expectation = (self.script)(&mut scene);
        scene.finish(expectation)
    }
}

/// All of them, by number.
#[must_use]
pub fn scenarios() -> &'static [Scenario] {
    &SCENARIOS
}

const ALWAYS: Range<f64> = f64::MIN..f64::MAX;

const fn scenario(number: u16, name: &'static str, about: &'static str, script: fn(&mut Scene) -> Expectation) -> Scenario {
    Scenario { number, name, about, script }
}

static SCENARIOS: [Scenario; 70] = [
    scenario(1, "normal_haul_dense", "Truck every second, trailer every 10", |s| {
        let rig = haul(s, 25_000.0);
        heard(s, &rig, 1.0, (10.0, 120.0), |_, _| {})
    }),
    scenario(2, "normal_haul_trailer_5min", "Truck every 10 s, trailer every 5 min", |s| {
        let rig = haul(s, 60_000.0);
        heard(s, &rig, 10.0, (300.0, 900.0), |_, _| {})
    }),
    scenario(3, "normal_haul_trailer_15min_truck_60s", "Truck every minute, trailer every 15", |s| {
        let rig = haul(s, 120_000.0);
        heard(s, &rig, 60.0, (900.0, 3600.0), |_, _| {})
    }),
    scenario(4, "stop_and_go_city", "Blocks, turns and red lights", |s| {
        let mut rig = s.hooked();
        rig.drive(City, 12_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, _| {})
    }),
    scenario(5, "overnight_parked_together", "Ten hours' rest between two drives", |s| {
        let mut rig = haul(s, 15_000.0);
        rig.wait(36_000.0);
        rig.drive(Motorway, 15_000.0);
        heard(s, &rig, 10.0, (60.0, 3600.0), |_, _| {})
    }),
    scenario(
        6,
        "fuel_stop_2_min_uncoupled_no",
        "Key off at the pump: the trailer's power, and so its coupling sensor, drops out",
        |s| {
            let mut rig = haul(s, 10_000.0);
            let stop = rig.t;
            rig.wait(120.0);
            let on = rig.t;
            rig.drive(Motorway, 15_000.0);
            heard(s, &rig, 10.0, (60.0, 60.0), |_, trailer| {
                trailer.insert(stop + 5.0, |r| r.coupling = coupling(CouplingState::Unhooked));
                trailer.insert(on - 5.0, |r| r.coupling = coupling(CouplingState::Hooked));
            })
        },
    ),
    scenario(7, "urban_canyon_jitter", "Errors of 25 m and spikes of 100 m between high buildings", |s| {
        let mut rig = s.hooked();
        rig.drive(City, 9000.0);
        heard(s, &rig, 5.0, (30.0, 60.0), |truck, trailer| {
            for feed in [truck, trailer] {
                feed.noise(ALWAYS, 25.0);
                feed.spikes(0.03, 100.0);
            }
        })
    }),
    scenario(8, "stationary_jitter_8h", "Parked for eight hours, now and then 80 m off for 45 s", |s| {
        let mut rig = haul(s, 3000.0);
        let parked = rig.t;
        rig.wait(28_800.0);
        let (mut truck, mut trailer) = (s.truck(&rig, 10.0), s.trailer(&rig, 30.0, 30.0));
        (truck.parked, truck.holds, trailer.holds) = (15.0, false, false);
        let mut feeds = [s.hear_truck(&rig, &truck), s.hear_trailer(&rig, rig.first(), &trailer)];
        for feed in &mut feeds {
            for _ in 0..12 {
                let at = s.rng.range(parked, rig.t - 60.0);
                feed.shift(at..at + 45.0, 80.0);
            }
        }
        s.play(&rig, feeds);
        Expectation::nothing()
    }),
    scenario(9, "adaptive_noise_hdop_9", "Two hours under a steel roof: 45 m off, and the receiver says so", |s| {
        let mut rig = haul(s, 8000.0);
        let roof = rig.t..rig.t + 7200.0;
        rig.wait(7200.0);
        rig.drive(Motorway, 8000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, trailer| {
            trailer.noise(roof.clone(), 45.0);
            trailer.edit(roof, |r, _| (r.hdop, r.accuracy) = (Some(9.0), None));
        })
    }),
    scenario(10, "trailer_cold_start_jump", "The trailer's first fixes of the day are 180 m off", |s| {
        let mut rig = haul(s, 8000.0);
        rig.wait(20_000.0);
        let leaves = rig.t;
        rig.drive(City, 2000.0);
        rig.drive(Motorway, 10_000.0);
        heard(s, &rig, 10.0, (30.0, 7200.0), |_, trailer| trailer.shift(leaves..leaves + 45.0, 180.0))
    }),
    scenario(
        11,
        "movement_event_with_last_known_position",
        "A movement event carries a fresh time on the parked position",
        |s| {
            let mut rig = haul(s, 8000.0);
            rig.wait(5000.0);
            let leaves = rig.t;
            rig.drive(Motorway, 15_000.0);
            let event = leaves + s.rng.range(30.0, 90.0);
            heard(s, &rig, 10.0, (120.0, 3600.0), |_, trailer| {
                let parked = trailer.last_position(leaves);
                trailer.lose(leaves..event);
                trailer.insert(event, |r| (r.position, r.moving, r.speed_mps) = (parked, Some(true), None));
            })
        },
    ),
    scenario(12, "stale_last_known_resent_moving", "For ten minutes of driving the trailer repeats one position", |s| {
        let rig = haul(s, 40_000.0);
        let stale = middle(&rig, 600.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, trailer| {
            trailer.freeze(stale);
            trailer.edit(ALWAYS, |r, _| r.moving = Some(true));
        })
    }),
    scenario(13, "tunnel_gap_both", "Four minutes without a fix, then the trailer's first one 170 m off", |s| {
        let rig = haul(s, 30_000.0);
        let tunnel = middle(&rig, 240.0);
        heard(s, &rig, 5.0, (15.0, 120.0), |truck, trailer| {
            truck.lose(tunnel.clone());
            trailer.lose(tunnel.clone());
            trailer.shift(tunnel.end..tunnel.end + 16.0, 170.0);
        })
    }),
    scenario(14, "ferry_crossing", "Two hours at sea, heartbeats of 10 and 5 min", |s| {
        let mut rig = haul(s, 8000.0);
        rig.wait(900.0);
        let sails = rig.t;
        rig.drive(Sea, 65_000.0);
        let lands = rig.t;
        rig.wait(600.0);
        rig.drive(Country, 8000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, trailer| {
            for (feed, every) in [(truck, 590.0), (trailer, 290.0)] {
                feed.thin(sails..lands, every);
                feed.edit(sails..lands, |r, _| r.moving = r.moving.map(|_| false));
            }
        })
    }),
    scenario(15, "jackknife_tight_yard_turn", "Turning on the spot with the longest trailer", |s| {
        let mut rig = s.train(&[23.0]);
        for _ in 0..4 {
            rig.drive(Yard, 250.0);
            rig.wait(60.0);
        }
        heard(s, &rig, 3.0, (10.0, 60.0), |_, _| {})
    }),
    scenario(16, "long_combination_40m", "Antennas 40 m apart, configured so", |s| {
        s.settings.rig_length_m = Metres(40.0);
        let mut rig = s.train(&[40.0]);
        rig.drive(City, 2000.0);
        rig.drive(Motorway, 30_000.0);
        heard(s, &rig, 10.0, (30.0, 300.0), |_, _| {})
    }),
    scenario(17, "loop_on_ramp_270deg", "Three quarters round between two fixes of the truck", |s| {
        let mut rig = s.hooked();
        for _ in 0..6 {
            rig.drive(Motorway, 3000.0);
            rig.drive(Ramp, 380.0);
        }
        let truck = s.rng.range(10.0, 30.0);
        heard(s, &rig, truck, (10.0, 60.0), |_, _| {})
    }),
    scenario(18, "duplicate_messages", "Everything up to five times, up to two minutes late", |s| {
        let rig = haul(s, 25_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, trailer| {
            truck.duplicate(0.6, 4, 120.0);
            trailer.duplicate(0.6, 4, 120.0);
        })
    }),
    scenario(19, "out_of_order_burst_truck_2h", "The truck's last two hours come at once, newest first", |s| {
        let rig = haul(s, 230_000.0);
        let hole = middle(&rig, 7200.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, _| truck.outage(hole, Order::NewestFirst))
    }),
    scenario(20, "out_of_order_burst_trailer_2h", "The trailer's last two hours come at once, newest first", |s| {
        let rig = haul(s, 230_000.0);
        let hole = middle(&rig, 7200.0);
        let order = s.rng.pick([Order::NewestFirst, Order::Shuffled]);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, trailer| trailer.outage(hole, order));
        Expectation::at_most_suspected()
    }),
    scenario(21, "trailer_coverage_hole_40min", "Nothing of the trailer for 40 min, ever", |s| {
        let rig = haul(s, 120_000.0);
        let hole = middle(&rig, 2400.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, trailer| trailer.lose(hole));
        Expectation::at_most_suspected()
    }),
    scenario(22, "trailer_clock_plus_10min", "The trailer's clock is ten minutes fast", |s| clock(s, 600.0)),
    scenario(23, "trailer_clock_minus_10min", "The trailer's clock is ten minutes slow", |s| clock(s, -600.0)),
    scenario(24, "trailer_clock_minus_75s", "The trailer's clock is 75 s slow", |s| clock(s, -75.0)),
    scenario(25, "trailer_clock_year_2004_then_fixed", "No time and no position until the first fix", |s| {
        let rig = haul(s, 25_000.0);
        let fixed = s.rng.range(300.0, 900.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, trailer| {
            let mut boot = 1_072_915_236_000;
            trailer.edit(f64::MIN..fixed, |r, rng| {
                (r.at, r.position, r.valid) = (UnixMillis(boot), Some(Position { lat: 0.0, lon: 0.0 }), None);
                boot += rng.range(10_000.0, 60_000.0) as i64;
            });
        })
    }),
    scenario(26, "null_island_spikes", "Every twentieth fix near (0, 0)", |s| {
        let rig = haul(s, 30_000.0);
        heard(s, &rig, 10.0, (30.0, 60.0), |truck, trailer| {
            for feed in [truck, trailer] {
                feed.edit(ALWAYS, |r, rng| {
                    if rng.chance(0.05) {
                        let off = rng.pick([0.0, 0.0, 0.004]);
                        r.position = Some(Position { lat: off, lon: -off });
                    }
                });
            }
        });
        Expectation { health: Some(Health::Refused), ..Expectation::nothing() }
    }),
    scenario(27, "single_teleport_50km", "Now one, now two fixes 50 km away", |s| {
        let rig = haul(s, 40_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, trailer| {
            for (feed, part, lasts) in [(truck, 0.3, 11.0), (trailer, 0.5, 61.0)] {
                feed.shift(rig.t * part..rig.t * part + lasts, 50_000.0);
            }
        });
        Expectation { health: Some(Health::Refused), ..Expectation::nothing() }
    }),
    scenario(28, "cell_tower_fallback_2km", "For ten minutes the trailer knows its cell only", |s| {
        let rig = haul(s, 40_000.0);
        let hole = middle(&rig, 600.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, trailer| {
            trailer.shift(hole.clone(), 2000.0);
            trailer.edit(hole, |r, rng| r.accuracy = Some(Metres(rng.range(800.0, 3000.0).round())));
        });
        Expectation { health: Some(Health::Refused), ..Expectation::nothing() }
    }),
    scenario(29, "malformed_values", "Numbers that are none, places off the globe, times out of all reason", |s| {
        let rig = haul(s, 30_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, trailer| {
            for feed in [truck, trailer] {
                feed.edit(ALWAYS, |r, rng| {
                    let wrong = |lat, lon| Some(Position { lat, lon });
                    match (rng.unit() * 100.0) as u32 {
                        0 => r.position = wrong(f64::NAN, f64::NAN),
                        1 => r.position = wrong(95.0, 12.0),
                        2 => r.position = wrong(12.0, -190.0),
                        3 => r.position = wrong(f64::INFINITY, 0.0),
                        4 => r.position = None,
                        5 => r.at = UnixMillis(i64::MAX),
                        6 => r.at = UnixMillis(i64::MIN),
                        7 => r.at = UnixMillis(0),
                        8 => r.valid = Some(false),
                        9 => (r.speed_mps, r.heading_deg) = (Some(f32::NAN), Some(f32::INFINITY)),
                        10 => (r.hdop, r.accuracy) = (Some(-1.0), Some(Metres(f64::NAN))),
                        11 => r.accuracy = Some(Metres(-5.0)),
                        _ => {}
                    }
                });
            }
        });
        Expectation { health: Some(Health::Refused), ..Expectation::nothing() }
    }),
    scenario(30, "truck_without_telemetry", "Only the trailer reports", |s| {
        let rig = haul(s, 25_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, _| truck.lose(ALWAYS));
        Expectation { health: Some(Health::Silent(rig.unit.clone())), ..Expectation::nothing() }
    }),
    scenario(31, "truck_tracker_dies_while_hauling", "The truck's tracker falls silent for good", |s| {
        let rig = haul(s, 60_000.0);
        let dies = middle(&rig, 0.0).start;
        heard(s, &rig, 10.0, (60.0, 300.0), |truck, _| truck.lose(dies..f64::MAX));
        Expectation { health: Some(Health::Silent(rig.unit.clone())), ..Expectation::nothing() }
    }),
    scenario(32, "trailer_without_telemetry", "Only the truck reports", |s| {
        let rig = haul(s, 25_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, trailer| trailer.lose(ALWAYS));
        Expectation { health: Some(Health::Silent(rig.first().unit.clone())), ..Expectation::nothing() }
    }),
    scenario(33, "bobtail_to_pickup", "The assigned trailer waits 90 km away", |s| {
        let mut rig = s.train(&[15.0]);
        rig.unhook();
        rig.drive(Motorway, 90_000.0);
        rig.stand(0, offset(rig.here(), 60.0, 40.0));
        rig.pick_up(0);
        rig.wait(600.0);
        rig.drive(Motorway, 15_000.0);
        heard(s, &rig, 10.0, (60.0, 600.0), |_, _| {})
    }),
    scenario(34, "drop_in_authorised_yard", "Left where it may be left", |s| {
        let (rig, _) = left(s, 30_000.0);
        let radius = s.rng.range(100.0, 400.0);
        let off = s.rng.range(0.0, radius - 20.0);
        s.zone(dropped_at(&rig), off, radius);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {})
    }),
    scenario(35, "drop_at_zone_edge_jitter", "Left on the edge of where it may be left, by a poor receiver's word", |s| {
        let (rig, _) = left(s, 30_000.0);
        let radius = s.rng.range(100.0, 400.0);
        let off = radius + s.rng.range(-20.0, 20.0);
        s.zone(dropped_at(&rig), off, radius);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, trailer| trailer.noise(ALWAYS, 8.0))
    }),
    scenario(36, "dispatch_unassigns_then_drop", "The assignment ends before the truck leaves", |s| {
        let (rig, departure) = left(s, 30_000.0);
        let at = departure - s.rng.range(1.0, 200.0);
        s.assign(&rig, at, at, [].iter());
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {})
    }),
    scenario(37, "unassign_arrives_late", "The same, heard of when the truck has already left", |s| {
        let (rig, departure) = left(s, 30_000.0);
        let (at, since) = (departure + s.rng.range(10.0, 120.0), departure - s.rng.range(1.0, 300.0));
        s.assign(&rig, at, since, [].iter());
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {})
    }),
    scenario(38, "trailer_swap", "One trailer is dropped, the other taken, and dispatch says so", |s| {
        let mut rig = s.rig(&[12.0, 18.0]);
        s.assign(&rig, -100.0, -3600.0, rig.trailers.iter().take(1));
        rig.stand(1, s.place);
        rig.drive(Motorway, 12_000.0);
        rig.wait(120.0);
        let (place, swap) = (rig.here(), rig.unhook());
        let side = towards(place, s.rng.range(0.0, TAU), s.rng.range(40.0, 140.0));
        rig.stand(1, side);
        rig.pick_up(1);
        rig.wait(180.0);
        let heard_at = rig.t + s.rng.range(-120.0, 60.0);
        s.assign(&rig, heard_at, swap, rig.trailers.iter().skip(1));
        rig.drive(Motorway, 20_000.0);
        let truck = s.truck(&rig, 10.0);
        let mut feeds = vec![s.hear_truck(&rig, &truck)];
        for trailer in &rig.trailers {
            let tracker = s.tracker(&trailer.unit, 60.0, 120.0);
            feeds.push(s.hear_trailer(&rig, trailer, &tracker));
        }
        s.play(&rig, feeds);
        Expectation::nothing()
    }),
    scenario(39, "shunt_90m_in_lot", "The truck stands 90 m off for a while and comes back", |s| {
        let mut rig = haul(s, 8000.0);
        rig.unhook();
        rig.drive(Straight, 90.0);
        rig.wait(1500.0);
        rig.return_to_trailer();
        rig.hook();
        rig.drive(Motorway, 8000.0);
        heard(s, &rig, 10.0, (30.0, 30.0), |_, _| {})
    }),
    scenario(40, "old_separation_resolved_in_burst", "Left and fetched again while neither could be heard", |s| {
        let mut rig = haul(s, 8000.0);
        let silent = rig.t;
        rig.unhook();
        rig.drive(Country, 5000.0);
        rig.wait(1200.0);
        rig.return_to_trailer();
        rig.hook();
        rig.drive(Motorway, 15_000.0);
        rig.wait(2700.0);
        let end = rig.t - 300.0;
        let order = s.rng.pick([Order::OldestFirst, Order::NewestFirst, Order::Shuffled]);
        heard(s, &rig, 10.0, (60.0, 60.0), |truck, trailer| {
            truck.outage(silent..end, order);
            trailer.outage(silent..end, order);
        })
    }),
    scenario(41, "drop_outside_zone_trailer_60s", "Left at the roadside; the trailer reports every minute", |s| {
        let (rig, departure) = left(s, 30_000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        s.due(LeftBehind, &rig, departure, 600)
    }),
    scenario(42, "drop_outside_zone_trailer_5min_heartbeat", "The same with a heartbeat of 5 min", |s| {
        let (rig, departure) = left(s, 40_000.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, _| {});
        s.due(LeftBehind, &rig, departure, 900)
    }),
    scenario(43, "drop_outside_zone_trailer_asleep", "The same with a tracker that sleeps until moved", |s| {
        let (rig, departure) = left(s, 60_000.0);
        heard(s, &rig, 10.0, (60.0, 86_400.0), |_, _| {});
        Expectation { due: vec![s.finding(None, &rig, departure, 1200)], ..Expectation::at_most_suspected() }
    }),
    scenario(44, "drop_outside_zone_hourly_heartbeat", "The same with a heartbeat of an hour: suspected first", |s| {
        let (rig, departure) = left(s, 120_000.0);
        heard(s, &rig, 10.0, (60.0, 3500.0), |_, _| {});
        let due = [(None, 1200), (Some(LeftBehind), 3900)].map(|(kind, by)| s.finding(kind, &rig, departure, by));
        Expectation { due: due.into(), ..Expectation::at_most_suspected() }
    }),
    scenario(45, "drive_off_fast_path_7way_lost", "The trailer's coupling sensor says when it came off", |s| {
        let (rig, departure) = left(s, 30_000.0);
        let lost = departure + s.rng.range(0.5, 3.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, trailer| {
            trailer.edit(ALWAYS, |r, _| r.coupling = coupling(CouplingState::Hooked));
            trailer.edit(lost..f64::MAX, |r, _| r.coupling = coupling(CouplingState::Unhooked));
            trailer.insert(lost, |r| r.coupling = coupling(CouplingState::Unhooked));
        });
        s.due(LeftBehind, &rig, departure, 420)
    }),
    scenario(46, "pin_pulled_at_truck_stop", "Somebody pulls the pin in the night; the driver leaves in the morning", |s| {
        let mut rig = haul(s, 8000.0);
        rig.wait(s.rng.range(3600.0, 30_000.0));
        let departure = rig.unhook();
        rig.drive(Motorway, 20_000.0);
        heard(s, &rig, 10.0, (30.0, 60.0), |_, _| {});
        s.due(LeftBehind, &rig, departure, 400)
    }),
    scenario(47, "trailer_stolen_truck_parked", "Pulled away from behind the parked truck", |s| {
        let (rig, departure) = stolen(s);
        heard(s, &rig, 10.0, (60.0, 900.0), |_, _| {});
        s.due(TrailerMovingAlone, &rig, departure, 1200)
    }),
    scenario(48, "trailer_stolen_truck_asleep_hourly", "The same while the truck reports every hour", |s| {
        let (rig, departure) = stolen(s);
        let (mut truck, trailer) = (s.truck(&rig, 10.0), s.trailer(&rig, 60.0, 900.0));
        truck.parked = 3600.0;
        let feeds = [s.hear_truck(&rig, &truck), s.hear_trailer(&rig, rig.first(), &trailer)];
        s.play(&rig, feeds);
        s.due(TrailerMovingAlone, &rig, departure, 1500)
    }),
    scenario(49, "stolen_from_authorised_yard", "Left where it may be, and taken from there hours later", |s| {
        let (mut rig, _) = left(s, 20_000.0);
        let radius = s.rng.range(100.0, 300.0);
        s.zone(dropped_at(&rig), 20.0, radius);
        rig.wait(s.rng.range(1800.0, 9000.0));
        let departure = rig.t;
        rig.steal(departure, Country, 20_000.0);
        rig.wait(2400.0);
        heard(s, &rig, 10.0, (60.0, 900.0), |_, _| {});
        s.due(TrailerMovedFromDrop, &rig, departure, 1500)
    }),
    scenario(50, "leaves_yard_without_assigned_trailer", "Comes for its trailer, and leaves without any", |s| {
        let mut rig = s.train(&[15.0]);
        let departure = visit(s, &mut rig);
        rig.drive(Motorway, 25_000.0);
        rig.wait(900.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, _| {});
        s.due(LeftWithoutTrailer, &rig, departure, 1500)
    }),
    scenario(51, "wrong_trailer_taken", "Comes for its trailer, and leaves with another", |s| {
        let mut rig = s.rig(&[15.0, 12.0]);
        s.assign(&rig, -100.0, -3600.0, rig.trailers.iter().take(1));
        rig.unhook();
        visit(s, &mut rig);
        rig.stand(1, offset(rig.here(), 30.0, 20.0));
        rig.pick_up(1);
        rig.wait(300.0);
        let departure = rig.t;
        rig.drive(Motorway, 25_000.0);
        rig.wait(900.0);
        heard(s, &rig, 10.0, (60.0, 300.0), |_, _| {});
        for other in rig.trailers.iter().skip(1) {
            let tracker = s.tracker(&other.unit, 60.0, 300.0);
            let feed = s.hear_trailer(&rig, other, &tracker);
            s.play(&rig, [feed]);
        }
        s.due(LeftWithoutTrailer, &rig, departure, 1500)
    }),
    scenario(
        52,
        "separation_during_truck_outage_2h",
        "The truck's two hours come at once, and it has left its trailer in the last of them",
        |s| {
            let mut rig = haul(s, 90_000.0);
            rig.wait(3600.0);
            let departure = rig.unhook();
            rig.drive(Motorway, 50_000.0);
            let end = departure + s.rng.range(900.0, 1300.0);
            let order = s.rng.pick([Order::OldestFirst, Order::NewestFirst]);
            heard(s, &rig, 10.0, (60.0, 60.0), |truck, _| truck.outage(end - 7200.0..end, order));
            s.due(LeftBehind, &rig, departure, 1800)
        },
    ),
    scenario(53, "violation_then_rejoin", "The driver notices and goes back", |s| {
        let (rig, departure) = fetched(s);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        Expectation { closed: 1, ..s.due(LeftBehind, &rig, departure, 600) }
    }),
    scenario(54, "lunch_bobtail_400m", "Half an hour 700 m down the road, without the trailer", |s| {
        let mut rig = haul(s, 8000.0);
        let departure = rig.unhook();
        rig.drive(Country, 700.0);
        rig.wait(1800.0);
        rig.return_to_trailer();
        rig.hook();
        rig.drive(Motorway, 8000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        Expectation { closed: 1, ..s.due(LeftBehind, &rig, departure, 700) }
    }),
    scenario(55, "two_trailers", "Of two trailers the rear one is left", |s| {
        s.settings.rig_length_m = Metres(40.0);
        let mut rig = s.train(&[11.0, 24.0]);
        rig.drive(Motorway, 12_000.0);
        rig.wait(200.0);
        let departure = rig.unhook_last();
        rig.drive(Motorway, 25_000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        let mut expectation = s.due(LeftBehind, &rig, departure, 600);
        for rear in rig.trailers.iter().skip(1) {
            let tracker = s.tracker(&rear.unit, 60.0, 60.0);
            let feed = s.hear_trailer(&rig, rear, &tracker);
            s.play(&rig, [feed]);
            expectation.due.iter_mut().for_each(|due| due.trailer = rear.unit.clone());
        }
        expectation
    }),
    scenario(56, "unknown_devices", "Assigned units that nobody has heard of, and units that are assigned to nobody", |s| {
        let rig = haul(s, 10_000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        let (silent, mut stranger) = (s.train(&[12.0]), s.rig(&[12.0]));
        stranger.unhook();
        stranger.drive(Motorway, 20_000.0);
        heard(s, &silent, 10.0, (60.0, 60.0), |truck, trailer| {
            truck.lose(ALWAYS);
            trailer.lose(ALWAYS);
        });
        heard(s, &stranger, 10.0, (60.0, 60.0), |_, _| {})
    }),
    scenario(57, "restart_in_mid_dwell", "The gateway is killed between departure and finding", |s| {
        let (rig, departure) = left(s, 30_000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        for _ in 0..3 {
            let at = departure + s.rng.range(20.0, 200.0);
            s.put(at, 0, Kind::Restart);
        }
        s.due(LeftBehind, &rig, departure, 600)
    }),
    scenario(58, "gateway_clock_1970_until_ntp", "The gateway starts in 1970; a trailer is left before it knows better", |s| {
        let (rig, departure) = left(s, 30_000.0);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        s.place = offset(s.place, 30_000.0, 0.0);
        let other = haul(s, 30_000.0);
        heard(s, &other, 10.0, (60.0, 60.0), |_, _| {});
        s.clock_wrong_until = departure + s.rng.range(-120.0, 400.0);
        s.due(LeftBehind, &rig, departure, 900)
    }),
    scenario(59, "retained_messages_replayed", "At every connect the broker repeats what it has kept, hours old", |s| {
        let mut rig = haul(s, 30_000.0);
        rig.wait(3600.0);
        rig.drive(Motorway, 30_000.0);
        let (truck, trailer) = s.hear(&rig, 10.0, (60.0, 300.0));
        for feed in [&truck, &trailer] {
            let heard: Vec<_> = feed.clone().into_heard().collect();
            let mut old = |at: f64| {
                let i = (s.rng.range(0.0, 0.4) * heard.len() as f64) as usize;
                heard.get(i).map(|kept| (at, kept.report.clone()))
            };
            let mut kept: Vec<_> = [0.6, 0.8, 0.9].into_iter().filter_map(|part| old(rig.t * part)).collect();
            // From the day before, elsewhere.
            if let Some((_, report)) = kept.first().cloned() {
                let far = report.position.map(|p| towards(p, s.rng.range(0.0, TAU), 80_000.0));
                kept.push((-60.0, crate::core::telemetry::Report { at: after(s.start, -18_000.0), position: far, ..report }));
            }
            for (at, report) in kept {
                s.put(at, rig.number, Kind::Report(report));
            }
        }
        s.play(&rig, [truck, trailer]);
        Expectation::nothing()
    }),
    scenario(60, "thousand_pairs", "A thousand rigs at once, three of which leave their trailers", |s| {
        let (home, mut expectation) = (s.place, Expectation::at_most_suspected());
        for number in 0..1000 {
            s.place = offset(home, s.rng.range(-9e4, 9e4), s.rng.range(-9e4, 9e4));
            let mut rig = s.hooked();
            rig.drive(Country, 3000.0);
            rig.wait(30.0);
            if number % 400 == 0 {
                let departure = rig.unhook();
                expectation.due.append(&mut s.due(LeftBehind, &rig, departure, 600).due);
            }
            rig.drive(Country, 6000.0);
            rig.wait(120.0);
            heard(s, &rig, 20.0, (60.0, 60.0), |_, _| {});
        }
        expectation
    }),
    scenario(61, "rejoin_while_offline", "Left and fetched again while the gateway cannot reach the internet", |s| {
        let (rig, departure) = fetched(s);
        heard(s, &rig, 10.0, (60.0, 60.0), |_, _| {});
        s.put(departure - 300.0, 0, Kind::Uplink(false));
        s.put(rig.t, 0, Kind::Uplink(true));
        Expectation { closed: 1, ..s.due(LeftBehind, &rig, departure, 600) }
    }),
    scenario(
        62,
        "dst_and_iso_offsets",
        "Clocks change on the way, and Traccar writes each unit's times with another offset",
        |s| {
            // The hour in which Berlin, Chicago and Lord Howe Island change in 2026, with their offsets around it.
            let (change, before, after) = s.rng.pick([
                (1_774_746_000, 60, 120),
                (1_792_890_000, 120, 60),
                (1_772_956_800, -360, -300),
                (1_793_516_400, -300, -360),
                (1_775_314_800, 660, 630),
            ]);
            s.start = UnixMillis((change - 1200) * 1000);
            let (rig, departure) = left(s, 40_000.0);
            s.place = offset(s.place, 0.0, 30_000.0);
            let other = haul(s, 40_000.0);
            for rig in [&rig, &other] {
                let (truck, trailer) = s.hear(rig, 10.0, (60.0, 60.0));
                for (feed, local) in [(truck, false), (trailer, true)] {
                    for heard in feed.into_heard() {
                        let offset = if heard.report.at.0 < change * 1000 { before } else { after };
                        let payload = payload::to_traccar(&heard.report, if local { offset } else { 0 });
                        s.put(heard.got, rig.number, Kind::Traccar(payload));
                    }
                }
            }
            s.due(LeftBehind, &rig, departure, 600)
        },
    ),
    scenario(63, "antimeridian", "One rig hauls along the antimeridian, another leaves its trailer beside it", |s| {
        let (lat, east) = (s.rng.range(-60.0, 66.0), s.rng.range(-2000.0, 2000.0));
        elsewhere(s, offset(Position { lat, lon: 180.0 }, 0.0, east))
    }),
    scenario(64, "high_latitude", "The same, farther north or south than any road", |s| {
        let (lat, lon) = (s.rng.range(80.0, 85.0) * s.rng.sign(), s.rng.range(-180.0, 180.0));
        elsewhere(s, Position { lat, lon })
    }),
    scenario(65, "neighbouring_yards", "Side by side on both sides of a fence: here a trailer may be left, there not", |s| {
        let (allowed, _) = left(s, 30_000.0);
        let fence = dropped_at(&allowed);
        s.zone(fence, 0.0, 100.0);
        let bearing = s.rng.range(0.0, TAU);
        s.place = towards(fence, bearing, 250.0);
        let mut forbidden = s.hooked();
        forbidden.wait(1200.0);
        let departure = forbidden.unhook();
        forbidden.drive(Motorway, 30_000.0);
        s.place = towards(fence, bearing, 260.0);
        let mut stays = s.hooked();
        stays.wait(3000.0);
        for rig in [&allowed, &forbidden, &stays] {
            heard(s, rig, 10.0, (60.0, 60.0), |_, _| {});
        }
        s.due(LeftBehind, &forbidden, departure, 600)
    }),
    scenario(66, "round_trip_between_heartbeats", "Out and back while the trailer's tracker sleeps and does not wake", |s| {
        let mut rig = haul(s, 2000.0);
        rig.wait(s.rng.range(600.0, 3000.0));
        rig.unhook();
        rig.hook();
        rig.drive(Country, 10_000.0);
        rig.wait(60.0);
        rig.return_to_trailer();
        rig.wait(7200.0);
        let (truck, mut trailer) = (s.truck(&rig, 10.0), s.trailer(&rig, 60.0, 3600.0));
        trailer.wakes = false;
        let feeds = [s.hear_truck(&rig, &truck), s.hear_trailer(&rig, rig.first(), &trailer)];
        s.play(&rig, feeds);
        Expectation::nothing()
    }),
    scenario(67, "trailer_clock_drifts_behind", "The trailer's clock loses minutes on the way, and finds them again", |s| {
        drift(s, true, -195.0)
    }),
    scenario(68, "trailer_clock_drifts_ahead", "It gains minutes", |s| drift(s, true, 195.0)),
    scenario(69, "truck_clock_drifts_behind", "The truck's clock loses minutes", |s| drift(s, false, -195.0)),
    scenario(70, "truck_clock_drifts_ahead", "It gains minutes", |s| drift(s, false, 195.0)),
];

/// An hour's everyday: out of town, along the motorway, a pause.
fn haul(s: &mut Scene, metres: f64) -> Rig {
    let mut rig = s.hooked();
    rig.wait(s.rng.range(120.0, 600.0));
    rig.drive(City, 1500.0);
    rig.drive(Motorway, metres);
    rig.wait(s.rng.range(200.0, 600.0));
    rig
}

/// A trailer unhooked at the roadside, long enough before the departure for its tracker to have settled; and when.
fn left(s: &mut Scene, metres: f64) -> (Rig, f64) {
    let mut rig = s.hooked();
    rig.wait(s.rng.range(60.0, 300.0));
    rig.drive(Country, 6000.0);
    rig.wait(s.rng.range(240.0, 600.0));
    let departure = rig.unhook();
    rig.drive(Motorway, metres);
    (rig, departure)
}

/// The same, and the driver comes back for it.
fn fetched(s: &mut Scene) -> (Rig, f64) {
    let mut rig = haul(s, 8000.0);
    let departure = rig.unhook();
    rig.drive(Country, 5000.0);
    rig.wait(s.rng.range(120.0, 900.0));
    rig.return_to_trailer();
    rig.hook();
    rig.wait(60.0);
    rig.drive(Motorway, 10_000.0);
    (rig, departure)
}

/// A trailer pulled away from behind a parked truck, and when.
fn stolen(s: &mut Scene) -> (Rig, f64) {
    let mut rig = haul(s, 10_000.0);
    rig.wait(s.rng.range(1800.0, 6000.0));
    let departure = rig.t;
    rig.steal(departure, Country, 30_000.0);
    rig.wait(3000.0);
    (rig, departure)
}

/// The tractor comes to a yard where its trailer stands a few hundred metres off, waits, and is about to leave: when.
fn visit(s: &mut Scene, rig: &mut Rig) -> f64 {
    rig.unhook();
    rig.drive(Country, 6000.0);
    rig.drive(Straight, 400.0);
    let place = rig.beside(s.rng.range(200.0, 400.0));
    rig.stand(0, place);
    rig.wait(s.rng.range(600.0, 1500.0));
    rig.t
}

/// One rig hauls and another leaves its trailer at a place.
fn elsewhere(s: &mut Scene, place: Position) -> Expectation {
    s.place = place;
    let (rig, departure) = left(s, 20_000.0);
    let other = haul(s, 20_000.0);
    for rig in [&rig, &other] {
        heard(s, rig, 10.0, (60.0, 60.0), |_, _| {});
    }
    s.due(LeftBehind, &rig, departure, 600)
}

/// A haul after an hour's rest, with a trailer's clock that is wrong. A prompt uplink: only a steady lag tells of it.
fn clock(s: &mut Scene, seconds: f64) -> Expectation {
    let mut rig = s.hooked();
    rig.wait(s.rng.range(4000.0, 6000.0));
    rig.drive(City, 1500.0);
    rig.drive(Motorway, 50_000.0);
    let (truck, mut trailer) = (s.truck(&rig, 8.0), s.trailer(&rig, 60.0, 300.0));
    trailer.latency = s.rng.range(0.2, 2.0);
    let (truck, mut trailer) = (s.hear_truck(&rig, &truck), s.hear_trailer(&rig, rig.first(), &trailer));
    trailer.clock(ALWAYS, seconds);
    s.play(&rig, [truck, trailer]);
    Expectation { health: Some(Health::ClockSuspect(rig.first().unit.clone())), ..Expectation::nothing() }
}

/// A haul on which one clock drifts, too slowly for a jump and too fast for a steady lag.
fn drift(s: &mut Scene, is_trailer: bool, seconds: f64) -> Expectation {
    let rig = haul(s, 60_000.0);
    let at_fault = if is_trailer { &rig.first().unit } else { &rig.unit };
    let health = Some(Health::ClockSuspect(at_fault.clone()));
    let window = middle(&rig, s.rng.range(900.0, 1800.0));
    let nothing = heard(s, &rig, 8.0, (20.0, 60.0), |truck, trailer| {
        (if is_trailer { trailer } else { truck }).drift(window, seconds);
    });
    Expectation { health, ..nothing }
}

/// Records truck and first trailer, lets faults befall the feeds, and lets the gateway hear them.
fn heard(s: &mut Scene, rig: &Rig, truck: f64, trailer: (f64, f64), faults: impl FnOnce(&mut Feed, &mut Feed)) -> Expectation {
    let (mut truck, mut trailer) = s.hear(rig, truck, trailer);
    faults(&mut truck, &mut trailer);
    s.play(rig, [truck, trailer]);
    Expectation::nothing()
}

fn dropped_at(rig: &Rig) -> Position {
    rig.first().motion.at(rig.t).position
}

fn middle(rig: &Rig, seconds: f64) -> Range<f64> {
    let from = (rig.t - seconds) / 2.0;
    from..from + seconds
}

fn coupling(state: CouplingState) -> Option<Coupling> {
    Some(Coupling { state, tractor: None })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_registry_is_complete_and_a_seed_decides_everything() {
        let names: BTreeSet<_> = scenarios().iter().map(|s| s.name).collect();
        assert_eq!(names.len(), scenarios().len());
        for (number, scenario) in (1..).zip(scenarios()) {
            assert_eq!(scenario.number, number);
            if scenario.name != "thousand_pairs" {
                let stream = scenario.build(3).stream;
                // Debug text, because a malformed number equals nothing, not even itself.
                assert_eq!(format!("{stream:?}"), format!("{:?}", scenario.build(3).stream), "{}", scenario.name);
                assert_ne!(format!("{stream:?}"), format!("{:?}", scenario.build(4).stream), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn streams_are_in_receive_order_and_outlast_what_is_due() {
        for scenario in scenarios().iter().filter(|s| s.name != "thousand_pairs") {
            for seed in 0..5 {
                let case = scenario.build(seed);
                let trusted: Vec<_> = case.stream.iter().filter(|item| item.trusted).map(|item| item.received).collect();
                assert!(trusted.is_sorted(), "{} {seed}", scenario.name);
                for due in &case.expectation.due {
                    let last = trusted.last().copied().unwrap();
                    assert!(last > due.departure + due.by, "{} {seed}: {}", scenario.name, last.secs_since(due.departure));
                }
            }
        }
    }
}
