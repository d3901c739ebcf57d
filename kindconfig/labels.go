package kindconfig

// Labels of specs that need a release which may not be pinned; Cell.Without has those that a cell lacks.
const (
	// NeedsReleaseBefore is the label of specs that upgrade from the release before the subject.
	NeedsReleaseBefore = "needs.release-before"
	// NeedsReleaseAfter is the label of specs that upgrade the subject to the release after it.
	NeedsReleaseAfter = "needs.release-after"
)
