package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// action does what Argo CD's server does when somebody chooses an action of a resource: it runs the script of the
// setting `resource.customizations.actions.GROUP_KIND` on the object, and returns the object to write.
func action() *cobra.Command {
	use := "action SETTING NAME <object.json"
	return &cobra.Command{Use: use, Args: cobra.ExactArgs(2), RunE: func(_ *cobra.Command, args []string) error {
		setting, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return err
		}
		key := lua.GetConfigMapKey(object.GroupVersionKind())
		vm := lua.VM{ResourceOverrides: map[string]v1alpha1.ResourceOverride{key: {Actions: string(setting)}}}
		script, err := vm.GetResourceAction(object, args[1])
		if err != nil {
			return err
		}
		changed, err := vm.ExecuteResourceAction(object, script.ActionLua, nil)
		if err != nil {
			return err
		}
		if len(changed) != 1 || changed[0].K8SOperation != lua.PatchOperation {
			return fmt.Errorf("%s is no patch of the object", args[1])
		}
		return json.NewEncoder(os.Stdout).Encode(changed[0].UnstructuredObj)
	}}
}
