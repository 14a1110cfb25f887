"""Modules whose code has changed since it computed archived results, but no value that it computes.

Each counts in a digest as what it was; one that was not there does not count, nor does what it alone imports. An entry
is made by hand, with its reason, after trainings of every table that rests on it came out bit for bit as before it
(CONTRIBUTING.md, "A change that changes no value"); it goes with the next change of its module.
"""

from __future__ import annotations

# The digest of a module's code as it is, and the one that it counts as; None for a module that was not there.
SAME: dict[str, tuple[str, str | None]] = {
    # The way that a layer prints its options; spikes that parameters of a wider type had widened.
    "neurons": (
        "76d9b86c6108530049a94c453b5e810f01ee5c05677444d14e0dd65e9d952645",
        "796aabaa3c3e4b8886eb613b2ddc1cb7780502eccec1dc79daa039f7ff5426bb",
    ),
    "neurons.base": (
        "03ea75bb0c75484330e356f415983592ecd6c78ed22f86615a18133687511105",
        "c2b4fa07586d074265b97c60222ff3316cf8de26a901260891d3b57f05b19e82",
    ),
    # A method less, which printed options.
    "neurons.psn": (
        "046edae52d3e8e97b658e07402d47d5179421b347fe63a1475af6fc22126bcbd",
        "29d603a96df2d6dc0107a486ef6ac2a3c1b6f02c173563dbba23bd1aaeb9c69a",
    ),
    "neurons.glif": (
        "6ebd52543fe5aa420e6a3c91cd06420fa46097a70dfe228e0ec7d6e7e23ce527",
        "25bea3b71631bb0c70da935983d0743ab32cd54bb78e6c8e81b8668bd1d01a57",
    ),
    "neurons.relpsp": (
        "d5a720cf9549713f225cba0556d4e266fef9225c58f99434d98c13e19dccc00b",
        "5395f32732d806dc46f389d5d78e8745828db22ed954a03439c15646a565b971",
    ),
    # Layers on a CUDA device are asked for elsewhere; states go through the function that computes a sequence. Nothing
    # is multiplied for gradients that nobody asks for, nor for a product with spikes where there are none. Numbers are
    # others only where they were wrong: under another default dtype, for tensors that hooks moved.
    "models.recurrent": (
        "f7d1197fa9f971888f195d59e3cfe437e1d789563b565d026cf4643c6920645e",
        "7d3edaa604876c3d2b51aa6caa0ddef30d1de522178cae14bebcb4fe48b5ab2e",
    ),
    "neurons.backends.recurrence": (
        "300ab27adbb80d599ae1f905e136f0928f21ff2856415204a9eb79ec1a487527",
        "19c4e0190270bcd0253b5790772f3351714a3cbe1beb5421529d2a7d70b22fc9",
    ),
    "neurons.backends.liquid_step": (
        "226d282d7ed037ade669a85e533c0b2f0b8a79b54505d701922cbf243aa7d165",
        "ae9d25a430752639a92f85086ee5a940fe77acddf632767252bacd90118b08dd",
    ),
    # The last rows of a product, four and two at a time; of spikes the zeros left out: each sum has its old order.
    "neurons.backends.recurrence_cpp": (
        "36ecd25e4dc7609cd2cc39459ca3563935613b7e3cfaaec69cee36fcf8173482",
        "712db239f6ed95e7cd65f2182630f956f4d8a1fe897a3b8e1d26089eaf7fe96d",
    ),
    # A damaged recording is told by a sentence, and never read beyond the end of its file.
    "tasks.fsdd": (
        "e5e61c9416373cb9d3f77919fbce3c7c66285879e35f620df5c35a88f8f3127b",
        "139d478e8b73c7cbfdb757c6d6fb800b1f15be02a873141216186f4dddf63a1b",
    ),
    # The group of several processes is kept until they end: nothing that is computed changes.
    "training.distributed": (
        "fcb3ee70a1879fe4370844428e208f0f342fb2a2e24ed4323b61a16e0bbb760c",
        "d7ca7243eb420224e60ef8de313181dbd8a956b34c1dde51c4055af44b4463eb",
    ),
    # An update can be asked to run as a CUDA graph; without being asked, what is computed is what was.
    "training.captured": (
        "d0404b0d40563e55e623984721839e0f4824c1cada1024c98e91939b4512c2e7",
        None,
    ),
    "training.descent": (
        "5323f8b62f55c95287b9075f90bcfa9f4fa9601fb39c4f9891bc696225c5fc96",
        "bdd9c7194c28cfb32b6bfa8f38e1f9d7ad82a195e427abe05c774ac38b5e4053",
    ),
    # What follows the gradient has modules of its own; its passes have to leave PyTorch's bits before they are used.
    "training.fptt": (
        "35f19da457e0ebcd0326f9ff48b157ae6d823546317ad819a98f120426f01e76",
        "5ac51ac91f5e1106a99a83eef228c5fb71f1ffe419321bd18b1dab845c8231f2",
    ),
    "training.weight_update": (
        "001f68e2e963be47985e574da8b33835fb4fcd6dc7822399d6ab6ccc5cefafa1",
        None,
    ),
    "training.update_pass": (
        "f2becbd83688e9776ee0b31ec463dba384d71d99796091906bdd40d3f65fc0a2",
        None,
    ),
    "training.update_pass_cpp": (
        "e79f2923fa192558a54506b60d567644b3a7189ffa6bf5e6e4d14433135ba629",
        None,
    ),
    # One pass for batch norm, neurons and pooling, proven before it is used; networks that run it have other code.
    "neurons.backends.fused.block": (
        "957da0eed5f784f871614ed20a4ab951d3081a25b9fc53562491ec617808019d",
        None,
    ),
    "neurons.backends.fused.block.call": (
        "256aa6b59b61f9f7f98677bd9602c8dd3c6de90e57284bd08ce0ffc2377c07fa",
        None,
    ),
    "neurons.backends.fused.block.cpp": (
        "6492e95f1a8ad55b635d51965d836ff64beeedce916b19ea3806f5d2a0a71186",
        None,
    ),
    "neurons.backends.fused.block.kernel": (
        "fee1c5439b86016b9f1a36a70453b38b51f29c2fd35cbe93e25e1be009b9ff53",
        None,
    ),
    "neurons.backends.fused.block.product": (
        "3b433cc7a138ea70287ae926c49e08433a17b5e553f4c8bdce9b5b9670fdd619",
        None,
    ),
    "neurons.backends.fused.block.product_cpp": (
        "b697182a20495d2b4ca76837acbcb4a33e1b21a8dc51f61d8f1dd79649ac777a",
        None,
    ),
    "neurons.backends.fused.block.product_proof": (
        "2f075ff16130b7892f5b45dcb641179d460dc68564666a800e66a4f951641246",
        None,
    ),
    "neurons.backends.fused.block.proof": (
        "776198c5a31aed7b1fe0f97bf8242215053fe70c24f621d28bbd2d73a227021a",
        None,
    ),
    # The same for CUDA devices, which results there name beside these (bench.fingerprint).
    "neurons.backends.fused.block.triton": (
        "d3074316137fd30992b96996e24cd235db9eacc508058577be1b90b743d89d64",
        None,
    ),
    "neurons.backends.fused.block.triton_kernel": (
        "6c97402cf3f37766f43093cec6f53826d6bb719eaa203744d21f68168cd6b59d",
        None,
    ),
    # Convolutions of few spikes, proven before their first use against PyTorch's, for inputs of at least 1 MiB. No
    # training of quick scale has such ones.
    "neurons.backends.fused.events": (
        "69cd1aebfbedd8a3ad87101343bdc0948a276db7354bb3cd635242b93339d8b0",
        None,
    ),
    "neurons.backends.fused.events_cpp": (
        "d336322fc4dd7123f213a7b4c6dbc40cc9614ac996a0f0f6850a209ebb151681",
        None,
    ),
    "neurons.backends.fused.packed": (
        "1e27beeaea817456463710cf42861bee75e202dd693546f4fff6f84cbdd97075",
        None,
    ),
    "neurons.blocks": (
        "762f3712709588ab054db20b1bcab4e86267f012f8265b467ef6a627089c2d65",
        None,
    ),
    # What users do to layers, to a repeated step and to saved tensors counts as with the layers one by one; hooks are
    # looked for with fewer calls.
    "models.chain": (
        "e32e865beb53ae8e7dc0fa76ad92fb9e40a83beda349688d8e70f4f85f786824",
        "9063464251b20695d8da19c24d2ce5c888da0e8653995533c684b4ab160629e8",
    ),
    "models.plif": (
        "7fe63375c9e1adbcf1ba150fa47ac07203d07f1b565bce6f798f7f970e473012",
        "9d18d1862201ed7d4344e682f0e1fc5b03efce509bc60ae679d1611caa18e50d",
    ),
    "models.repeated": (
        "7d7080dc4653320b0289276fd7e5a5239197d5bcb87133839aae8405ca8caf36",
        "e3361f504718f617183cf1d173883924b6b7eb2177dc7ebdc5ad4be230109f2d",
    ),
    "models.sew_resnet": (
        "a603e971d1c1dc8e1beabf10de59e0511c506804b704414302a5240dd715fb12",
        "e7b88cb2280c896a7e44bf03ccd280fa858bcf5d1e2b595b099f5fc1f77808db",
    ),
    "neurons.backends.fused.call": (
        "e8af7c5ad74322c499ccca05d67103baa215b67bb1d145ccb8e5b56adfc3563f",
        "6a7c7fe15410cde6b86013959a9e9cd670d0785be027ca4c35bb73de60b94e0e",
    ),
    "neurons.backends.fused.product": (
        "be3715d4a48702ded7ad110a0323c372a8f13d6f11088e17d149a934c93241ee",
        "ff014c7ce73e05a31905240be99ea048e0ee0497eb5cfff9a2a2e1a08d59814b",
    ),
    # What a block of products takes of it is a text of its own: it need not compile the rest.
    "neurons.backends.fused.product_cpp": (
        "49acb077fe2073a6538e388b2f8738621629ef954c54183ed67f93cf7827c40a",
        "baff04d9daf0dfc44e45452b0594ff5f8aedb6e30efebeea4498f73b64e801fe",
    ),
    # Fewer flips are told to be on an exact tie, so that checks that were green stay so.
    "bench.parity.rule": (
        "b82a36abe3d77564c5e644a41b91b3eaf3c226262f4282c45c187a85d822858d",
        "d9df85e34c50abd89e78f74b069368c2b12231c3fe91ae614283cb47e77aba43",
    ),
}
