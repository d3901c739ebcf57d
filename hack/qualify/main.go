// Program qualify runs the conformance suite on one cell and says whether the Istio build may ship.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	if err == nil {
		return
	}
	if interrupted {
		err = errInterrupted()
	}
	fmt.Fprintln(os.Stderr, "qualify:", err)
	os.Exit(problem.ExitCode(err))
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "qualify",
		Short:         "Qualify a build of Istio 1.20 on real kind clusters",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usageArgs(cobra.NoArgs),
		// Without it cobra would show its help for an unknown command, and call that a success.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return problem.Usage(err.Error(), cmd.CommandPath(), "see "+cmd.CommandPath()+" --help")
	})
	root.AddCommand(runCommand(), matrixCommand(), mergeCommand(), diffCommand(), listCommand(), reportCommand(), benchCommand(), selfcheckCommand(),
		downCommand(), pinCommand(), imagesCommand())
	return root
}

// usageArgs makes cobra's complaints about arguments errors of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return problem.Usage(err.Error(), cmd.CommandPath(), "see "+cmd.CommandPath()+" --help")
		}
		return nil
	}
}
