package policy

type layerIndex struct{}

func (*layerIndex) ask(*env) found { return found{} }
