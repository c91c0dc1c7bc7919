"""The server: pages, forms and interfaces over HTTP. Parses, authorises, calls, renders; decides nothing itself."""
