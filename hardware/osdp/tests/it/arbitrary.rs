//! The fuzz targets' bodies with random input, for every run of the tests.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::chaos;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_decoded_or_refused(input in vec(any::<u8>(), 0..400)) {
        chaos::codec(&input);
    }

    #[test]
    fn a_peripheral_survives_any_line(input in vec(any::<u8>(), 0..1_500)) {
        chaos::pd_input(&input);
    }

    #[test]
    fn a_peripheral_survives_a_panel_gone_mad(input in vec(any::<u8>(), 0..1_500)) {
        chaos::pd_sealed(&input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_panel_survives_any_line(input in vec(any::<u8>(), 0..1_500)) {
        chaos::cp_input(&input);
    }
}
