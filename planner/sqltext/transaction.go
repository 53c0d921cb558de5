package sqltext

import (
	"github.com/flightlake/flightlake/lake"
)

// TransactionAction says what a statement does to the transaction of its session.
type TransactionAction uint8

// The statements that control transactions.
const (
	ActionBegin      TransactionAction = iota // BEGIN, START TRANSACTION
	ActionCommit                              // COMMIT, END
	ActionRollback                            // ROLLBACK, ABORT
	ActionSavepoint                           // SAVEPOINT
	ActionRelease                             // RELEASE SAVEPOINT
	ActionRollbackTo                          // ROLLBACK TO SAVEPOINT
)

// Transaction is a statement that controls transactions.
type Transaction struct {
	Action TransactionAction
	// Savepoint is the name of ActionSavepoint, ActionRelease and ActionRollbackTo,
	// as written; names that differ by case only are the same.
	Savepoint string
	ReadOnly  bool // BEGIN READ ONLY
}

// transaction reads what follows the first word of a statement that controls
// transactions.
func (s *Statement) transaction(c *Cursor, word string) (err error) {
	tx := &Transaction{}
	s.Kind, s.Name, s.Transaction = KindTransaction, word, tx
	switch word {
	case "BEGIN":
		workOrTransaction(c)
		return s.transactionModes(c)
	case "START":
		s.Name = "START TRANSACTION"
		if !c.Words("TRANSACTION") {
			return c.Unexpected("START is followed by TRANSACTION")
		}
		return s.transactionModes(c)
	case "COMMIT", "END":
		tx.Action = ActionCommit
		workOrTransaction(c)
	case "SAVEPOINT":
		tx.Action = ActionSavepoint
		tx.Savepoint, err = c.Ident("savepoint")
	case "RELEASE":
		tx.Action = ActionRelease
		tx.Savepoint, err = savepointName(c)
	default:
		tx.Action = ActionRollback
		workOrTransaction(c)
		if word == "ROLLBACK" && c.Words("TO") {
			s.Name, tx.Action = "ROLLBACK TO SAVEPOINT", ActionRollbackTo
			tx.Savepoint, err = savepointName(c)
		}
	}
	if err != nil {
		return err
	}
	if tx.Action == ActionCommit || tx.Action == ActionRollback {
		if !c.Words("AND", "NO", "CHAIN") && c.IsWord(0, "AND") && c.IsWord(1, "CHAIN") {
			return lake.Errorf(lake.KindUnsupported, "%s AND CHAIN is not supported; send BEGIN next", word)
		}
	}
	return s.end(c)
}

// workOrTransaction consumes a word that says nothing.
func workOrTransaction(c *Cursor) {
	if !c.Words("WORK") {
		c.Words("TRANSACTION")
	}
}

// savepointName reads [SAVEPOINT] name; a savepoint may itself be called so.
func savepointName(c *Cursor) (string, error) {
	if _, more := c.Peek(1); more {
		c.Words("SAVEPOINT")
	}
	return c.Ident("savepoint")
}

// transactionModes reads the modes of BEGIN. Every transaction has snapshot
// isolation, so weaker levels are granted and stronger ones refused.
func (s *Statement) transactionModes(c *Cursor) error {
	for !c.End() {
		switch {
		case c.Words("READ", "ONLY"):
			s.Transaction.ReadOnly = true
		case c.Words("READ", "WRITE"):
			s.Transaction.ReadOnly = false
		case c.Words("ISOLATION", "LEVEL", "SERIALIZABLE"):
			return lake.Errorf(lake.KindUnsupported,
				"isolation level SERIALIZABLE is not supported: transactions have snapshot isolation, which is REPEATABLE READ")
		case c.Words("ISOLATION", "LEVEL", "SNAPSHOT"), c.Words("ISOLATION", "LEVEL", "REPEATABLE", "READ"),
			c.Words("ISOLATION", "LEVEL", "READ", "COMMITTED"), c.Words("ISOLATION", "LEVEL", "READ", "UNCOMMITTED"),
			c.Words("NOT", "DEFERRABLE"):
		case c.Words("ISOLATION", "LEVEL"):
			return c.Unexpected("an isolation level is REPEATABLE READ, SNAPSHOT, READ COMMITTED or READ UNCOMMITTED")
		default:
			return c.Unexpected("expected READ WRITE, READ ONLY, ISOLATION LEVEL or the end of the statement")
		}
		if c.Op(",") && c.End() {
			return c.Unexpected("a comma is followed by READ WRITE, READ ONLY or ISOLATION LEVEL")
		}
	}
	return nil
}
