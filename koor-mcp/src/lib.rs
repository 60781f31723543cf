//! koor-mcp
