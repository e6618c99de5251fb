package xmlgate

// attributes writes the attributes, those without a namespace first, then by namespace and local name.
func (c *canon) attributes(i int32, x *elem, apex bool) error {
	d := c.d
	c.order = c.order[:0]
	for a, end := x.attr, d.attrsEnd(i); a < end; a++ {
		c.order = append(c.order, a)
	}
	if apex && !c.opt.Exclusive {
		if err := c.xmlAttributes(i); err != nil {
			return err
		}
	}
	if len(c.order) > 1 {
		sortInts(c.order, c.less)
	}
	for _, n := range c.order {
		a := d.attrs.at(n)
		size := a.info.local()
		if p := len(d.prefixes[d.bindings[a.info.binding()].prefix]); p > 0 {
			size += i32(p) + 1
		}
		c.put(" ")
		c.put(d.src[a.name : a.name+size])
		c.put(`="`)
		c.value(d.rawValue(a), a.info&attrDecode != 0)
		c.put(`"`)
	}
	return nil
}

// less orders attributes.
func (c *canon) less(m, n int32) bool {
	d := c.d
	a, b := d.attrs.at(m), d.attrs.at(n)
	if p, q := a.info.binding(), b.info.binding(); p != q {
		if u, v := d.bindings[p].uri, d.bindings[q].uri; u != v {
			return p == bindNone || q != bindNone && u < v
		}
	}
	return d.attrLocal(a) < d.attrLocal(b)
}

// xmlAttributes adds the xml: attributes that the apex inherits (Canonical XML 1.0, section 2.4; 1.1, section 2.4).
func (c *canon) xmlAttributes(i int32) error {
	d := c.d
	has := func(a *attr) bool {
		for _, n := range c.order {
			if b := d.attrs.at(n); b.info.binding() == bindXML && d.compareNames(b, a) == 0 {
				return true
			}
		}
		return false
	}
	for n := d.elems.at(i).parent; n >= 0; n = d.elems.at(n).parent {
		for k, end := d.elems.at(n).attr, d.attrsEnd(n); k < end; k++ {
			a := d.attrs.at(k)
			if a.info.binding() != bindXML || has(a) {
				continue
			}
			if c.opt.Version11 {
				switch d.attrLocal(a) {
				case "id":
					continue
				case "base":
					return ErrXMLBase
				}
			}
			c.order = append(c.order, k)
		}
	}
	return nil
}
