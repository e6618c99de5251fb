package permissionset

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CloudFormation writes the sets and assignments as a template with AWS::SSO::PermissionSet and AWS::SSO::Assignment.
func CloudFormation(o *Organization, instance string) map[string]any {
	resources := map[string]any{}
	names := map[string]string{}
	for i := range o.PermissionSets {
		p := &o.PermissionSets[i]
		names[p.Name] = fmt.Sprintf("PermissionSet%d", i)
		resources[names[p.Name]] = map[string]any{"Type": "AWS::SSO::PermissionSet", "Properties": cloudFormationSet(p, instance)}
	}
	for i, a := range o.Assignments {
		resources[fmt.Sprintf("Assignment%d", i)] = map[string]any{"Type": "AWS::SSO::Assignment", "Properties": map[string]any{
			"InstanceArn": instance, "TargetType": "AWS_ACCOUNT", "TargetId": a.TargetID, "PrincipalType": string(a.PrincipalType), "PrincipalId": a.PrincipalID,
			"PermissionSetArn": map[string]any{"Fn::GetAtt": []string{names[a.PermissionSet], "PermissionSetArn"}},
		}}
	}
	return map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
}

func cloudFormationSet(p *PermissionSet, instance string) map[string]any {
	d := map[string]any{"InstanceArn": instance, "Name": p.Name}
	optional(d, "Description", p.Description)
	optional(d, "SessionDuration", p.SessionDuration)
	optional(d, "RelayStateType", p.RelayState)
	if len(p.ManagedPolicies) > 0 {
		d["ManagedPolicies"] = p.ManagedPolicies
	}
	reference := func(c CustomerManagedPolicy) map[string]any {
		return map[string]any{"Name": c.Name, "Path": c.FullPath()}
	}
	var refs []map[string]any
	for _, c := range p.CustomerManagedPolicies {
		refs = append(refs, reference(c))
	}
	if refs != nil {
		d["CustomerManagedPolicyReferences"] = refs
	}
	if text := InlinePolicyText(p.InlinePolicy); len(text) > 0 {
		if json.Valid(text) {
			d["InlinePolicy"] = json.RawMessage(text)
		} else {
			d["InlinePolicy"] = string(text)
		}
	}
	if b := p.PermissionsBoundary; !b.IsZero() {
		if b.CustomerManagedPolicyReference != nil {
			d["PermissionsBoundary"] = map[string]any{"CustomerManagedPolicyReference": reference(*b.CustomerManagedPolicyReference)}
		} else {
			d["PermissionsBoundary"] = map[string]any{"ManagedPolicyArn": b.ManagedPolicyARN}
		}
	}
	var tags []map[string]string
	for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
		tags = append(tags, map[string]string{"Key": k, "Value": p.Tags[k]})
	}
	if tags != nil {
		d["Tags"] = tags
	}
	return d
}

// Terraform writes the sets and assignments as Terraform JSON for the provider hashicorp/aws. Values that hold "${" are
// escaped, so that Terraform does not read them as expressions.
func Terraform(o *Organization, instance string) map[string]any {
	t := &terraform{instance: instance, resources: map[string]map[string]any{}}
	keys := map[string]string{}
	for i := range o.PermissionSets {
		p := &o.PermissionSets[i]
		key := fmt.Sprintf("set_%d", i)
		keys[p.Name] = key
		t.set(p, key)
	}
	for i, a := range o.Assignments {
		t.add("aws_ssoadmin_account_assignment", fmt.Sprintf("assignment_%d", i), map[string]any{
			"permission_set_arn": t.ref(keys[a.PermissionSet]), "principal_type": string(a.PrincipalType), "principal_id": escape(a.PrincipalID),
			"target_id": a.TargetID, "target_type": "AWS_ACCOUNT",
		})
	}
	return map[string]any{"resource": t.resources}
}

type terraform struct {
	instance  string
	resources map[string]map[string]any
}

func (t *terraform) add(kind, key string, d map[string]any) {
	if t.resources[kind] == nil {
		t.resources[kind] = map[string]any{}
	}
	d["instance_arn"] = t.instance
	t.resources[kind][key] = d
}

func (t *terraform) ref(key string) string { return "${aws_ssoadmin_permission_set." + key + ".arn}" }

func escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "${", "$${"), "%{", "%%{")
}

func (t *terraform) set(p *PermissionSet, key string) {
	d := map[string]any{"name": p.Name}
	optional(d, "description", escape(p.Description))
	optional(d, "session_duration", p.SessionDuration)
	optional(d, "relay_state", escape(p.RelayState))
	if len(p.Tags) > 0 {
		tags := map[string]string{}
		for k, v := range p.Tags {
			tags[k] = escape(v)
		}
		d["tags"] = tags
	}
	t.add("aws_ssoadmin_permission_set", key, d)
	for i, arn := range p.ManagedPolicies {
		t.add("aws_ssoadmin_managed_policy_attachment", fmt.Sprintf("%s_%d", key, i), map[string]any{"permission_set_arn": t.ref(key), "managed_policy_arn": arn})
	}
	for i, c := range p.CustomerManagedPolicies {
		t.add("aws_ssoadmin_customer_managed_policy_attachment", fmt.Sprintf("%s_%d", key, i), map[string]any{
			"permission_set_arn": t.ref(key), "customer_managed_policy_reference": []any{map[string]any{"name": c.Name, "path": c.FullPath()}},
		})
	}
	if len(p.InlinePolicy) > 0 {
		t.add("aws_ssoadmin_permission_set_inline_policy", key, map[string]any{"permission_set_arn": t.ref(key), "inline_policy": escape(string(InlinePolicyText(p.InlinePolicy)))})
	}
	if b := p.PermissionsBoundary; !b.IsZero() {
		inner := map[string]any{}
		if b.CustomerManagedPolicyReference != nil {
			c := b.CustomerManagedPolicyReference
			inner["customer_managed_policy_reference"] = []any{map[string]any{"name": c.Name, "path": c.FullPath()}}
		} else {
			inner["managed_policy_arn"] = b.ManagedPolicyARN
		}
		t.add("aws_ssoadmin_permissions_boundary_attachment", key, map[string]any{"permission_set_arn": t.ref(key), "permissions_boundary": []any{inner}})
	}
}

// TerraformID returns the ID of an account assignment in a Terraform state.
func TerraformID(a Assignment, setARN, instance string) string {
	return strings.Join([]string{a.PrincipalID, string(a.PrincipalType), a.TargetID, "AWS_ACCOUNT", setARN, instance}, ",")
}
