local private = require("multimodal.policy.private")

describe("private hosts", function()
  it("are private, loopback, link-local and multicast addresses", function()
    for _, host in ipairs {
      "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
      "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[0000::ffff:7f00:1]", "[::7f00:1]",
      "[::ffff:0:7f00:1]", "[0064:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    } do
      assert.is_true(private.is_private(host), host)
    end
  end)

  it("are addresses in the spellings that resolvers take", function()
    for _, host in ipairs { "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "999.1.1.1", "1.2.0x3" } do
      assert.is_true(private.is_private(host), host)
    end
  end)

  it("are local names", function()
    for _, host in ipairs { "localhost", "a.localhost", "printer.local", "metadata.google.internal", "intranet", "localhost." } do
      assert.is_true(private.is_private(host), host)
    end
  end)

  it("are not the others", function()
    for _, host in ipairs {
      "example.com", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.1.1", "[2606:4700::1111]", "[2001:db8::1]", "1.example.com",
      "[::ffff:8.8.8.8]", "[64:ff9b::8.8.8.8]",
      "localhost.example.com",
    } do
      assert.is_false(private.is_private(host), host)
    end
  end)
end)
