//! What the definitions of the five tools cost every agent in every session.

/// Above this, the tools no longer are what they promise to be.
const PROMISED: usize = 750;

/// Where they are meant to stay.
const WANTED: usize = 650;

#[test]
fn five_definitions_cost_no_more_than_their_budget() {
    let definitions = koor_mcp::definitions();
    assert_eq!(definitions.as_array().map(Vec::len), Some(5));
    let wire = definitions.to_string();
    let tokens = tiktoken_rs::o200k_base_singleton().encode_ordinary(&wire).len();
    println!("{tokens} tokens, {} bytes: {wire}", wire.len());
    const { assert!(WANTED <= PROMISED) };
    assert!(tokens <= WANTED, "{tokens} tokens, {WANTED} wanted, {PROMISED} promised");
    // The guide names the figure, which changes with every word.
    let guide = include_str!("../../docs/mcp-guide.md");
    assert!(
        guide.contains(&format!("**{tokens} tokens**")),
        "docs/mcp-guide.md does not say {tokens} tokens"
    );
}
