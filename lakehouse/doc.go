// Package lakehouse is where the parts meet. A Lakehouse wires them and offers protocols
// three faces: Sessions, Transactions and Statements. It begins the life of each
// statement, sends it to the package that runs its kind, and ends what belongs together:
// a session with its statements, transactions and temporary tables.
//
// It plans, reads and writes nothing itself, and knows neither gRPC nor any driver.
package lakehouse
