// Package auth says who makes a call and what they may do. An Authenticator
// turns credentials (password, JWT, client certificate) into an Identity; a
// Policy holds roles, grants and row filters and answers for an Identity. Both
// are read from one file and follow its changes; what GRANT and REVOKE
// change is kept in a second file beside it.
//
// It knows neither gRPC nor SQL text: flightsvc brings the credentials, session
// asks the Policy, and row filters are SQL that session hands to the planner.
package auth
