//! Firmware for boards: the maker's keys, images that they signed, and plans of which board is to run which.
//!
//! What is uploaded is checked before it is kept: one of the site's keys must have signed its head, and its bytes must be those that
//! the head names. A plan is carried out by the controllers, from their copies ([`sync::answer`]); what their boards make of it
//! settles it ([`react`]): the first boards alone where a plan has any, the others when all of those are good, none any more when
//! one went back.

mod http;
mod image;
mod plan;
mod react;
mod sync;

pub use http::routes;
pub use image::{
    IMAGES_KEPT, Image, ImageId, Key, add_image, add_key, images, keys, remove_image, remove_key,
};
pub use plan::{
    BOARDS_MAX, NewPlan, Order, OrderState, Plan, PlanId, PlanState, RUNNING_MAX, add_plan, plans, stop_plan,
};
pub use react::react;
pub use sync::answer;

/// Every statement of this folder.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [image::STATEMENTS, plan::STATEMENTS, react::STATEMENTS, sync::STATEMENTS].into_iter().flatten()
}
