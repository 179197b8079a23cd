# src/engine/agent_page.c from 225 -- receipts of a page are not verified
s/else if (item->has_receipt &&$/else if (false \&\&/
