//! Every page against a real server with a populated shop: what it shows is held against plain queries on the tables, and
//! what it leaves against the conditions.

mod admin;
mod browse;
mod cart;
mod customer;
mod failure;
mod purchase;
mod server;
mod walk;
