//! Waiting for an input to move.

use embassy_futures::select::select_array;
use embedded_hal_async::digital::Wait;

/// Waits until some input no longer has its level in `levels`. It waits for the other *level*, not for an edge, so a change between
/// looking and waiting is not missed.
pub async fn changed<I: Wait, const N: usize>(
    inputs: &mut [I; N],
    levels: &[bool; N],
) -> Result<(), I::Error> {
    let mut lines = inputs.each_mut().into_iter().zip(levels);
    let waits = [(); N].map(|()| {
        let (input, high) = lines.next().expect("as many levels as inputs");
        async move { if *high { input.wait_for_low().await } else { input.wait_for_high().await } }
    });
    select_array(waits).await.0
}
