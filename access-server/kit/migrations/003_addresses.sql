-- Where an operator has signed in from: strangers who guess elsewhere do not keep them out there.
CREATE TABLE operator_address (
    operator INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    address  TEXT    NOT NULL,                  -- IPv4, or the network of an IPv6 host
    used_at  INTEGER NOT NULL,
    PRIMARY KEY (operator, address)
) STRICT;
