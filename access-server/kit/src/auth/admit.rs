//! Who is let in to a route.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, header};

use super::csrf::checked;
use super::operator::{Operator, Owed};
use super::session::{SESSION_COOKIE, csrf_token, find, note_use};
use super::token;
use crate::problem::Problem;
use crate::routes::Who;
use crate::state::Kit;

/// Hands a request on that may come in, with the [`Operator`] who sent it among its extensions.
///
/// # Errors
/// A problem of kind `cross-site` or `form-token` (see [`checked`]), `signed-out`, `must-change-password`,
/// `must-set-up-second-factor` or `rank`; for programs `wrong-token`, `too-many-attempts` or `scope`.
pub(crate) async fn admit(kit: &Kit, who: Who, mut request: Request) -> Result<Request, Problem> {
    if who == Who::Anybody {
        return checked(request, who).await;
    }
    let operator = match request.headers().get(header::AUTHORIZATION) {
        // What a browser adds by itself is not looked at: no page of another site can send this header.
        Some(given) => {
            let token = given.to_str().ok().and_then(|given| given.strip_prefix("Bearer "));
            program(kit, who, token.unwrap_or_default(), peer(&request)).await?
        }
        None => {
            request = checked(request, who).await?;
            person(kit, who, request.headers()).await?
        }
    };
    request.extensions_mut().insert(operator);
    Ok(request)
}

async fn person(kit: &Kit, who: Who, headers: &HeaderMap) -> Result<Operator, Problem> {
    let operator = signed_in(kit, headers).await?;
    if matches!(who, Who::Anybody | Who::SignedIn) {
        return Ok(operator);
    }
    match operator.owes {
        Some(Owed::Password) => {
            return Err(Problem::forbidden("must-change-password", "choose a password of your own first"));
        }
        Some(Owed::SecondFactor) => {
            return Err(Problem::forbidden("must-set-up-second-factor", "set up a second factor first"));
        }
        None => {}
    }
    match who {
        Who::Anybody | Who::SignedIn => {}
        Who::Somewhere(role) if operator.ranks.highest() >= role => {}
        Who::Somewhere(role) | Who::AtLeast(role) | Who::Api(role, _) => operator.require(role)?,
    }
    Ok(operator)
}

async fn program(kit: &Kit, who: Who, token: &str, peer: String) -> Result<Operator, Problem> {
    let Some((operator, scopes)) = token::bearer(kit, token).await? else {
        return Err(match kit.attempts().wrong_token(&peer, kit.now()) {
            Some(seconds) => Problem::too_many(seconds),
            None => Problem::wrong_token(),
        });
    };
    match who {
        Who::Api(_, scope) if scopes.contains(&scope) => Ok(operator),
        Who::Api(_, scope) => {
            Err(Problem::forbidden("scope", "the token lacks the scope").with("needs", scope.as_str()))
        }
        Who::Anybody | Who::SignedIn | Who::Somewhere(_) | Who::AtLeast(_) => {
            Err(Problem::forbidden("scope", "this is for people: no token does it"))
        }
    }
}

/// The other end's address, where a connection brought the request.
fn peer(request: &Request) -> String {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| peer.ip().to_string()).unwrap_or_default()
}

/// Whose session the cookie is of.
pub(crate) async fn signed_in(kit: &Kit, headers: &HeaderMap) -> Result<Operator, Problem> {
    let cookie = session_cookie(headers).ok_or_else(Problem::signed_out)?;
    let found = find(kit, cookie).await?.ok_or_else(Problem::signed_out)?;
    if is_use(headers) {
        note_use(kit, cookie, &found).await;
    }
    Ok(Operator {
        id: found.id,
        name: found.name,
        ranks: found.ranks,
        language: found.language,
        owes: found.owes,
        csrf: csrf_token(cookie),
        session: cookie.to_owned(),
    })
}

/// Pictures are fetched by an open page: they say nothing about whether anybody is there.
fn is_use(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_none_or(|kind| kind != "image")
}

/// The session cookie's value, where there is one of the right form.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
}

/// The value of one of our cookies, where there is one of the right form.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value)
        .filter(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
