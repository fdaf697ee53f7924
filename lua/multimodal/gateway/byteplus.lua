--- BytePlus ModelArk: https://docs.byteplus.com/en/docs/ModelArk. It speaks as Volcengine does.
return {
  like = "volcengine",
  name = "byteplus",
  base_url = "https://ark.ap-southeast.bytepluses.com/api/v3",
}
