//! Many more clients than there is room for.

use super::*;

#[test]
fn a_flood_of_a_million_keys_takes_no_more_room_and_resets_nobody() {
    let world = World::new();
    let mut limiter = world.limiter(4096);
    let ten = Rule::Tier("ten");
    while world.ask(&mut limiter, "192.0.2.7", ten, 1).verdict.allowed {}
    let began = world.now.get();
    let size = std::fs::metadata(world.table()).unwrap().len();
    let mut admitted = 0_u64;
    for number in 0..1_000_000_u64 {
        // Within a minute, so that by the policy nothing comes back (that takes six).
        world.wait(60 * SECOND / 1_000_000);
        let key = format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff);
        admitted += u64::from(world.ask(&mut limiter, &key, ten, 1).verdict.allowed);
        if number % 1000 == 0 {
            let verdict = world.ask(&mut limiter, "192.0.2.7", ten, 1).verdict;
            assert!(!verdict.allowed, "after {number} keys");
        }
    }
    assert_eq!(std::fs::metadata(world.table()).unwrap().len(), size);
    assert_eq!(size, 4096 + 4096 / 8 * 512, "64 bytes for each client");
    // Every slot can be used up once, and then all who are new are refused.
    assert!((4096..=512 * 15 * 10).contains(&admitted), "{admitted}");
    // By the policy one comes back after six minutes; it may take longer for one who had to make room, not for ever.
    world.now.set(began + 3600 * SECOND + 60 * SECOND);
    assert!(world.ask(&mut limiter, "192.0.2.7", ten, 1).verdict.allowed);
    assert!(world.ask(&mut limiter, "new", ten, 1).verdict.allowed);
}

#[test]
fn one_who_waits_for_long_makes_room_first() {
    let world = World::new();
    let mut limiter = world.limiter(64);
    let ten = Rule::Tier("ten");
    for _ in 0..10 {
        world.ask(&mut limiter, "busy", ten, 1);
    }
    // Buckets that are full again after a second, a hundred times as many as there is room for.
    for number in 0..12_000 {
        world.wait(SECOND / 10);
        assert!(
            world.ask(&mut limiter, &format!("key{number}"), policy(1, 1, 1), 1).verdict.allowed,
            "{number}"
        );
    }
    // Twenty minutes later three have come back, as if nobody else had been there.
    let verdict = world.ask(&mut limiter, "busy", ten, 3).verdict;
    assert_eq!((verdict.allowed, verdict.remaining), (true, 0));
}

#[test]
fn refused_and_looking_clients_take_no_room() {
    let world = World::new();
    let mut limiter = world.limiter(64);
    for number in 0..5000 {
        let key = format!("key{number}");
        world.ask(&mut limiter, &key, Rule::Tier("closed"), 1);
        world.ask(&mut limiter, &key, Rule::Tier("ten"), 0);
    }
    let bytes = std::fs::read(world.table()).unwrap();
    assert!(bytes[4096..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one_client() {
    let world = World::new();
    let mut limiter = world.limiter(64);
    for number in 0..10 {
        let key = format!("2001:db8::{number:x}_search");
        assert!(world.ask(&mut limiter, &key, Rule::Tier("ten"), 1).verdict.allowed);
    }
    assert!(!world.ask(&mut limiter, "2001:db8::ffff_search", Rule::Tier("ten"), 1).verdict.allowed);
    assert!(world.ask(&mut limiter, "2001:db8::ffff_login", Rule::Tier("ten"), 1).verdict.allowed);
    assert!(world.ask(&mut limiter, "2001:db8:0:1::1_search", Rule::Tier("ten"), 1).verdict.allowed);
}
