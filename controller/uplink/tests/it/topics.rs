//! Topics, and the access list made of them.

use uplink::topics::{Leaf, device_filters, mosquitto_acl, parse, server_filters, topic};

#[test]
fn every_topic_is_read_back() {
    for leaf in Leaf::ALL {
        let name = topic("controller-1", leaf);
        assert_eq!(parse(&name), Some(("controller-1", leaf)));
    }
    for foreign in
        ["", "gatehouse/v1", "gatehouse/v1//state", "gatehouse/v2/controller-1/state", "gatehouse/v1/c/none"]
    {
        assert_eq!(parse(foreign), None, "{foreign}");
    }
}

#[test]
fn the_two_sides_share_every_leaf_between_them() {
    assert_eq!(server_filters().count() + device_filters("x").count(), Leaf::ALL.len());
}

#[test]
fn a_device_may_write_only_below_its_own_name() {
    let acl = mosquitto_acl("server");
    for line in acl.lines().filter(|line| line.starts_with("pattern write")) {
        assert!(line.starts_with("pattern write gatehouse/v1/%u/"), "{line}");
    }
    assert!(!acl.contains("readwrite"));
    assert!(acl.contains("topic write gatehouse/v1/+/ack/urgent"));
    assert!(acl.contains("pattern write gatehouse/v1/%u/event/urgent"));
    assert!(!acl.contains("pattern write gatehouse/v1/%u/ack"));
}
