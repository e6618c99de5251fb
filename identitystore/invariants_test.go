package identitystore_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
)

// invariants lists, for each invariant (I) and rule (R) of the synchronisation, the tests that fail when it is broken:
// functions of this package's folder and of the programs' tests, and parts of the conformance suite of stores.
func invariants() map[string][]string {
	return map[string][]string{
		"I01 an incomplete read takes nothing away":        {"TestScenarioReadFailures", "TestScenarioDirectoryFaults", "TestI01MirrorWithUnreadableRows"},
		"I02 every state is a flattened directory":         {"TestRandomHistories", "TestSyncHistoriesSQLite", "I02I10Model"},
		"I03 too many removals are held":                   {"TestScenarioD08GuardHoldsBeforeTheFirstDelete", "TestScenarioD09ApprovalIsForOnePlan", "TestGuardRemovals", "TestMirrorOfNothing"},
		"I04 leaving the scope deletes nobody":             {"TestScenarioD06D07LeavesTheScope", "I04R8Scope"},
		"I05 incompleteness spreads upwards":               {"TestScenarioF08F06IncompleteGroup"},
		"I06 one object, one id":                           {"TestScenarioR01R02RenameAndMove", "TestScenarioD01D02DeletedAndRestored", "TestRecreatedObjectGetsANewID", "I06R7Tombstones"},
		"I07 names are unique at every commit":             {"I07Fold", "I07Swaps", "I07SwapOfGroupNames", "I07ParallelUniqueness", "TestScenarioR08NamesAreExchanged"},
		"I08 a bad object stops nobody":                    {"TestScenarioR11R12BadNames", "TestBadAttribute"},
		"I09 all or nothing, at any point":                 {"I09Rollback", "I09CrashPoints", "TestI09KilledWriter", "TestScenarioC01SyncKilled", "TestScenarioC03TwiceTheSame"},
		"I10 memberships are reachability":                 {"I02I10Model", "I10R2Nesting", "TestScenarioN02Cycle", "TestScenarioN06N07PrimaryGroup"},
		"I11 a record of a sign-in has no memberships":     {"I11R3R6SignIn", "I11SignInRace", "TestScenarioJ01J02J03JustInTime"},
		"I12 each field has one owner, no update is lost":  {"I12R5Ownership", "I12ParallelMembers", "TestScenarioJ08OtherFieldsAreNotTouched", "TestSignInWritesWhatARunWrites"},
		"I13 changes lead where a full read leads":         {"TestScenarioI13IncrementalEqualsFull", "TestScenarioN13I13CostOfOneMember"},
		"I14 one writer for each source":                   {"I14Leases", "TestScenarioC05I14OneWriter"},
		"I15 the directory is not overloaded":              {"TestScenarioF05OneBindPerRun"},
		"I16 nothing crosses from one tenant to another":   {"I16TenantIsolation"},
		"I17 the feed has no gaps, the past can be read":   {"I17Feed", "I17FeedUnderParallelCommits", "I17AsOf", "I17History", "I17Prune"},
		"R1 the scope is what is assigned":                 {"TestScenarioS01NewlyAssigned", "TestFirstRun"},
		"R2 nested groups are flattened":                   {"I10R2Nesting", "TestScenarioN01NestedThreeDeep", "TestScenarioN15DirectOnly"},
		"R3 a first sign-in makes a record":                {"I11R3R6SignIn", "TestScenarioJ01J02J03JustInTime"},
		"R4 which synchronisation leaves alone":            {"TestScenarioJ01J02J03JustInTime"},
		"R5 only mapped attributes are written":            {"I12R5Ownership", "TestScenarioJ08OtherFieldsAreNotTouched"},
		"R6 every sign-in refreshes them":                  {"I11R3R6SignIn"},
		"R7 only what was deleted is deleted":              {"I06R7Tombstones", "TestScenarioF13MissedByPagingIsNotDeleted"},
		"R8 who is not assigned any more stays, untouched": {"I04R8Scope", "TestScenarioD06D07LeavesTheScope", "TestScenarioD10LongUnscoped"},
		"R9 no password is ever kept":                      {"TestR9NoPasswords", "TestBadFiles"},
	}
}

// TestInvariantsHaveTests makes sure that each of those tests exists.
func TestInvariantsHaveTests(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, dir := range []string{".", "../internal/integration"} {
		root := os.DirFS(dir)
		require.NoError(t, fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") && path != "storetest/storetest.go" {
				return err
			}
			raw, err := fs.ReadFile(root, path)
			all.Write(raw)
			return err
		}))
	}
	for what, tests := range invariants() {
		for _, name := range tests {
			mark := `"` + name + `": `
			if strings.HasPrefix(name, "Test") {
				mark = "func " + name + "("
			}
			require.Contains(t, all.String(), mark, what)
		}
	}
}

// TestR9NoPasswords: there is no place for a password, and no way to make one.
func TestR9NoPasswords(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	u, err := svc.CreateUser(t.Context(), identitystore.Author{}, &identitystore.User{UserName: "alice"})
	require.NoError(t, err)
	for _, path := range []string{"password", "Password", "unicodePwd", "userPassword", "passwordHash"} {
		_, err := svc.UpdateUser(t.Context(), identitystore.Author{}, u.ID, "", identitystore.Set(path, "secret"))
		require.ErrorIs(t, err, identitystore.ErrInvalid, path)
		require.ErrorIs(t, identitystore.CheckMappedPath(path), identitystore.ErrInvalid, path)
	}
}
