//! From pixel to pin on real parts: photographs over RTSP, the vision process, the controller, boards in QEMU running
//! their firmware images, a real broker with mutual TLS, the server and its journal on either engine, and the live page
//! in a real browser.

mod browser;
mod import;
mod life;
mod operators;
mod page;
mod site;
mod webcam;
mod webdriver;
