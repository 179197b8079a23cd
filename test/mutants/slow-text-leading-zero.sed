# src/base/text.c by test_note -- a size may begin with zeros
s/if (text.len == 0 || (text.len > 1 \&\& text.ptr\[0\] == .0.))/if (text.len == 0)/
