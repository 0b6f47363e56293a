//! The HTTP side.
use axum::Router;
use kit::Kit;

use crate::embed::EmbedService;

/// The routes.
pub fn router(_embed: Option<EmbedService>) -> Router<Kit> {
    Router::new()
}
