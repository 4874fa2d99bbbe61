-- Which installation this is, and the head of its audit chain, which every commit and every other audited act moves on.
select id, audit_seq from installation
